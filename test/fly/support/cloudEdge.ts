import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { FlyCloud } from './flyCloud.ts';

/** What Node 24 has, and the types of the oldest host have not. */
const certificates = tls as typeof tls & {
  getCACertificates(): string[];
  setDefaultCACertificates(certificates: string[]): void;
};

function makeCertificate(): { key: string; cert: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-edge-'));
  try {
    writeFileSync(path.join(folder, 'x'), '');
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-subj', '/CN=fly.dev', '-addext', 'subjectAltName=DNS:*.fly.dev'];
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', 'key', '-out', 'cert', ...names, '-days', '2'], {
      cwd: folder,
      stdio: 'pipe',
    });
    return {
      key: readFileSync(path.join(folder, 'key'), 'utf8'),
      cert: readFileSync(path.join(folder, 'cert'), 'utf8'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The addresses of all apps: ends the encryption, and leads to the app's machine that runs, or closes the connection. */
export async function startEdge(
  cloud: FlyCloud,
): Promise<{ url: string; certificate: string; close(): Promise<void> }> {
  const { key, cert } = makeCertificate();
  certificates.setDefaultCACertificates([...certificates.getCACertificates(), cert]);
  const sockets = new Set<tls.TLSSocket>();
  const server = tls.createServer({ key, cert, ALPNProtocols: ['http/1.1'] }, socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const app = cloud.apps.get(
      String((socket as tls.TLSSocket & { servername?: string }).servername).replace(/\.fly\.dev$/, ''),
    );
    const machine = [...(app?.machines.values() ?? [])].find(
      ({ state, config }) => state === 'started' && config.services,
    );
    if (!app?.ips.length || !machine?.process) return void socket.destroy();
    const there = machine.process.reach();
    there.on('error', () => socket.destroy());
    there.on('close', () => socket.destroy());
    socket.on('close', () => there.destroy());
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    certificate: cert,
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

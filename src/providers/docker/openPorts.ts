import type { OperationContext } from '../../model/operationContext.ts';
import { outputOf } from './containerExec.ts';
import { node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { serverPort } from './instanceContainer.ts';

const print = `
for (const file of ['tcp', 'tcp6']) try { process.stdout.write(require('fs').readFileSync('/proc/net/' + file)); } catch {}`;

/** The ports on which something in the container listens, ascending, the editor server's own left out. */
export async function readOpenPorts(
  engine: DockerEngine,
  containerId: string,
  ctx: OperationContext,
): Promise<number[]> {
  const tables = await outputOf(engine, containerId, [node, '-e', print], 'Listing the ports', ctx);
  return listeningPorts(tables).filter(port => port !== serverPort);
}

/** Pure: the ports in the kernel's tables of sockets. The engine's own name server (127.0.0.11) is left out. */
export function listeningPorts(tables: string): number[] {
  const ports = tables.split('\n').flatMap(line => {
    const [, address = '', port = ''] = /^\s*\d+: ([0-9A-F]{8,32}):([0-9A-F]{4}) \S+ 0A /.exec(line) ?? [];
    return address === '' || address === '0B00007F' ? [] : [Number.parseInt(port, 16)];
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

/** How a server answers beside what git's own `http-backend` says. */
export interface GitServerOptions {
  /** Everything but with this password is refused with 401. */
  readonly password?: string;
  /** Of what lies there only; absent means of everything. */
  readonly private?: string;
  /** Requests are sent on to this address, with their path. */
  readonly redirectTo?: string;
  /** Takes connections and says nothing. */
  readonly silent?: boolean;
}

/** A git server on loopback that really serves a repository, and keeps what it was asked. */
export class GitServer {
  readonly requests: { url: string; password: string | undefined }[] = [];
  readonly #options: GitServerOptions;
  readonly #root = mkdtempSync(path.join(tmpdir(), 'git-server-'));
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));
  readonly #sockets = new Set<Socket>();

  private constructor(options: GitServerOptions) {
    this.#options = options;
  }

  static async start(options: GitServerOptions = {}): Promise<GitServer> {
    const server = new GitServer(options);
    server.#server.on('connection', socket => {
      server.#sockets.add(socket);
      socket.on('close', () => server.#sockets.delete(socket));
    });
    await new Promise<void>(resolve => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  /** Serves what the work tree at `folder` has by now, with refs of every kind, at `/repo.git` or another name. */
  publish(folder: string, name = 'repo.git'): void {
    const served = path.join(this.#root, name);
    rmSync(served, { recursive: true, force: true });
    execFileSync('git', ['clone', '--quiet', '--mirror', '--no-hardlinks', folder, served], { stdio: 'ignore' });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `${this.origin}/repo.git`;
  }

  /** Passwords that it was given, each once. */
  get passwords(): string[] {
    return [...new Set(this.requests.flatMap(({ password }) => password ?? []))];
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  dispose(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#root, { recursive: true, force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', headers } = request;
    const [, basic] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? [];
    const given =
      basic === undefined ? undefined : Buffer.from(basic, 'base64').toString().split(':').slice(1).join(':');
    this.requests.push({ url, password: given });
    const { silent, redirectTo, password, private: closed = '' } = this.#options;
    if (silent) return;
    if (password !== undefined && url.startsWith(closed) && given !== password) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
    } else if (redirectTo !== undefined) {
      response.writeHead(302, { Location: `${redirectTo}${url}` }).end();
    } else this.#serve(request, response);
  }

  /** As a web server runs a CGI program. */
  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? '/', this.origin);
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env.PATH ?? '',
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '2',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        GIT_CONFIG_KEY_1: 'uploadpack.allowFilter',
        GIT_CONFIG_VALUE_1: 'true',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(backend.stdin);
    backend.stdin.on('error', () => {});
    const chunks: Buffer[] = [];
    backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    backend.on('close', () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf('\r\n\r\n');
      const head = whole.subarray(0, Math.max(0, end)).toString();
      const lines = head.split('\r\n').map(line => line.split(/: (.*)/s));
      const status = Number(lines.find(([name]) => name === 'Status')?.[1]?.slice(0, 3) ?? 200);
      for (const [name, value] of lines) if (name && name !== 'Status' && value) response.setHeader(name, value);
      response.writeHead(status).end(whole.subarray(end + 4));
    });
  }
}

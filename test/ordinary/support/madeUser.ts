import { execFileSync, spawn } from 'node:child_process';
import { chownSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import { alive } from '../../engine/support/alive.ts';

const prefix = 'rs-test-';
const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });

/** A user of this machine that is made for a test, with an account and a home, and with no rights but a user's. */
export class MadeUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Its temporary folder. */
  readonly folder: string;

  private constructor(name: string) {
    const [, , uid, gid, , home = ''] = run('getent', 'passwd', name).trim().split(':');
    this.name = name;
    this.uid = Number(uid);
    this.gid = Number(gid);
    this.home = home;
    this.folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-user-'));
    this.own(this.folder);
  }

  /** Makes one, after removing those that killed test runs have left. */
  static make(): MadeUser {
    for (const [name = '', pid] of readFileSync('/etc/passwd', 'utf8').matchAll(/^rs-test-(\d+)(?=:)/gm)) {
      if (!alive(Number(pid))) new MadeUser(name).remove();
    }
    const name = `${prefix}${process.pid}`;
    run('useradd', '--create-home', '--shell', '/bin/sh', name);
    return new MadeUser(name);
  }

  own(file: string): void {
    chownSync(file, this.uid, this.gid);
  }

  /** Runs a program to its end; answers with how that was, and all that it said. */
  async run(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; said: string }> {
    const { PATH = '' } = process.env;
    const own = { PATH, HOME: this.home, USER: this.name, LOGNAME: this.name, TMPDIR: this.folder };
    const child = spawn(file, args, {
      ...{ uid: this.uid, gid: this.gid, env: { ...own, ...env } },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>(resolve => child.once('close', resolve));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, said: `${out}${err}` };
  }

  /** What it runs now. */
  processes(): string[] {
    return this.#pids().map(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
  }

  /** With all that it runs and has. */
  remove(): void {
    for (const pid of this.#pids()) process.kill(pid, 'SIGKILL');
    run('userdel', '--remove', '--force', this.name);
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(`/var/tmp/remote-swarm-ssh-hosts-${this.uid}`, { recursive: true, force: true });
  }

  #pids(): number[] {
    const isOwn = (folder: string) => statSync(folder, { throwIfNoEntry: false })?.uid === this.uid;
    return globSync('/proc/[0-9]*')
      .filter(isOwn)
      .map(folder => Number(path.basename(folder)))
      .filter(alive);
  }
}

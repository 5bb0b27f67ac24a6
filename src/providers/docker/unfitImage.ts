import { providerRefused, type SwarmError } from '../../model/errors.ts';

/** What {@link tryServer} ends with when an image has no shell that runs. */
export const noShell = 8;

/** Runs inside, on the editor server's node: tries what terminals and commands need, and tells the accounts. */
export const tryServer = `
const { error, status } = require('child_process').spawnSync('/bin/sh', ['-c', 'exit 7']);
if (status !== 7) { console.error('/bin/sh: ' + (error ? error.code : status)); process.exit(${noShell}); }
const read = name => { try { return require('fs').readFileSync('/etc/' + name, 'utf8'); } catch { return ''; } };
console.log(JSON.stringify({ passwd: read('passwd'), group: read('group') }));`;

/** What a try of an image told that failed. */
export interface FailedTry {
  /** What was printed, or the engine's own words when it could not even begin. */
  readonly output: string;
  readonly exitCode?: number | undefined;
  /** Whether the image has the C library of Alpine. */
  readonly musl: boolean;
  /** Processors, as engines call them; what is not known is empty. */
  readonly imageFor: string;
  readonly engineOn: string;
}

const whole = 'Choose an image of a whole distribution, as "debian:12", "ubuntu:24.04" or "fedora:42"';

/** Pure: what is wrong with the image, in words that go on after "it", and what to choose. */
export function whyUnfit({ output, exitCode, musl, imageFor, engineOn }: FailedTry): { why: string; choose: string } {
  if (imageFor !== '' && engineOn !== '' && imageFor !== engineOn) {
    // By far the most who meet this have a Mac.
    const [made, has] =
      imageFor === 'amd64' && engineOn === 'arm64' ? [' (Intel and AMD)', ', as Apple silicon is'] : ['', ''];
    return {
      why: `is made for ${imageFor}${made} processors, and the engine's machine has an ${engineOn} one${has}`,
      choose: `Choose an image, or a tag of this one, for linux/${engineOn}; "docker manifest inspect" shows what a tag is for.`,
    };
  }
  if (musl) {
    return {
      why: 'is built on musl, the C library of Alpine, and the editor server needs glibc',
      choose: 'Choose the variant on Debian or Ubuntu: "node:22" in place of "node:22-alpine".',
    };
  }
  if (exitCode === noShell) {
    return { why: `has no shell that runs (${output.trim() || '/bin/sh'}), so no terminal`, choose: `${whole}.` };
  }
  const version = /version [`']?(GLIBC(?:XX)?_[\d.]+)'? not found/.exec(output)?.[1];
  if (version) {
    return {
      why: `has too old a C library (${version} is missing)`,
      choose: 'Choose a later release of it: glibc 2.28 or later, as Debian 10, Ubuntu 20.04 or Fedora 29 have it.',
    };
  }
  const library = /error while loading shared libraries: ([^\s:]+)/.exec(output)?.[1];
  if (library) {
    return {
      why: `lacks the library ${library}`,
      choose: `Add it to the image${library.startsWith('libstdc++') ? ' (libstdc++6 on Debian and Ubuntu, libstdc++ on Fedora and RHEL)' : ''}, or choose its full variant in place of a minimal one.`,
    };
  }
  const level = /CPU does not support (x86-64-v\d)|CPU ISA level is lower than required/i.exec(output);
  if (level) {
    return {
      why: `wants a newer processor than the engine's machine has${level[1] ? ` (${level[1]})` : ''}`,
      choose: 'Choose an earlier release of it, or an engine on a newer machine.',
    };
  }
  if (/exec format error/i.test(output)) {
    return {
      why: "is for another processor than that of the engine's machine",
      choose: 'Choose an image, or a tag of this one, for that processor.',
    };
  }
  if (/no such file or directory/i.test(output)) {
    return { why: 'has no C library: it holds a program and no distribution', choose: `${whole}.` };
  }
  const said = output.trim().split('\n').at(-1)?.slice(0, 200);
  return { why: `does not run its node${said ? `: ${said}` : ''}`, choose: `${whole}.` };
}

/** Nothing was made when this is thrown. */
export function imageUnfit(image: string, failed: FailedTry): SwarmError {
  const { why, choose } = whyUnfit(failed);
  return providerRefused(
    'image-unfit',
    `The image ${image} can't hold an instance: it ${why}.`,
    `${choose} Nothing was made.`,
  );
}

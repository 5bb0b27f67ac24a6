import { providerRefused, providerUnreachable, type SwarmError } from '../model/errors.ts';
import { onOneLine } from '../model/textCut.ts';
import type { SshTarget } from './sshArguments.ts';

/** What `ssh` says beside the reason for which it failed. */
const noise = /^(debug\d|\*\* |@+$|Warning: Permanently added|Connection closed by UNKNOWN|stdio forwarding failed)/;

/** Pure: the last of what was said, as a part of a sentence. */
export function wordsOf(said: string): string {
  const lines = said.split(/[\r\n]+/).filter(line => line.trim() !== '');
  const meant = lines.filter(line => !noise.test(line.trim()));
  return onOneLine((meant.length > 0 ? meant : lines).slice(-3).join(' '), 300).replace(/\.$/, '');
}

/** Pure: the command by which a person reaches the host. */
export const loginCommand = ({ host, user, port }: SshTarget) =>
  `ssh ${port === undefined ? '' : `-p ${port} `}${user === undefined ? '' : `${user}@`}${host}`;

/** Pure: words what `ssh` said on its error stream when it did not get to the host. */
export function sshProblem(providerId: string, target: SshTarget, said: string): SwarmError {
  const { host, port } = target;
  const command = loginCommand(target);
  const known = port === undefined ? host : `[${host}]:${port}`;
  const words = wordsOf(said);
  if (/ENOENT/.test(said)) {
    return providerRefused('ssh-missing', 'There is no ssh on this machine.', 'Install OpenSSH, then try again.');
  }
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(said)) {
    return providerRefused(
      'ssh-host-key-changed',
      `The host key of ${host} is not the one that is known: it was set up anew, or something else answers in its place.`,
      `Ask whoever runs the host. If the new key is its own, run "ssh-keygen -R ${known}", then "${command}" in a terminal.`,
    );
  }
  if (/Host key verification failed/i.test(said)) {
    return providerRefused(
      'ssh-host-key',
      `The host key of ${host} is not known.`,
      `Run "${command}" once in a terminal, compare the key, and try again.`,
    );
  }
  const openConfiguration = /Bad owner or permissions on (\S+)/.exec(said)?.[1];
  if (openConfiguration !== undefined) {
    return providerRefused(
      'ssh-configuration',
      `ssh does not read ${openConfiguration} on this machine, since others may write it.`,
      `Run "chmod 600 ${openConfiguration}" in a terminal, and try again.`,
    );
  }
  if (/^\S+:? line \d+: /m.test(said)) {
    return providerRefused(
      'ssh-configuration',
      `ssh does not take its own configuration on this machine: ${words}.`,
      `Correct that line; "${command}" in a terminal says the same.`,
    );
  }
  const openKey = /Permissions \d+ for '([^'\n]+)' are too open/.exec(said)?.[1];
  if (openKey !== undefined) {
    return providerRefused(
      'ssh-key-open',
      `ssh does not use the key ${openKey} for ${host}, since other users of this machine may read it.`,
      `Run "chmod 600 ${openKey}" in a terminal, and try again.`,
    );
  }
  if (/Too many authentication failures/i.test(said)) {
    return providerRefused(
      'ssh-permission',
      `${host} refused the ssh login: ${words}.`,
      `The ssh agent offers more keys than the host tries. Name the right one for ${host} in ~/.ssh/config: "IdentityFile" with its file, and "IdentitiesOnly yes".`,
    );
  }
  if (/Permission denied/i.test(said)) {
    return providerRefused(
      'ssh-permission',
      `${host} refused the ssh login: ${words}.`,
      'Check the user, and add the key to your ssh agent ("ssh-add"); neither a password nor a key\'s passphrase can be asked for here.',
    );
  }
  if (/Could not resolve hostname/i.test(said)) {
    return providerUnreachable(
      providerId,
      `ssh to ${host} failed: ${words}`,
      'Check the name of the host in the provider and in ~/.ssh/config, and the network or VPN of this machine.',
    );
  }
  if (/No route to host|Network is unreachable/i.test(said)) {
    return providerUnreachable(
      providerId,
      `ssh to ${host} failed: ${words}`,
      'Check the network or VPN of this machine, and whether the host is up.',
    );
  }
  if (/no matching (host key type|key exchange method|cipher|MAC) found/i.test(said)) {
    return providerRefused(
      'ssh-algorithms',
      `ssh and ${host} have no method in common: ${words}.`,
      `Its ssh server is out of date. Update it, or allow one of the named methods for ${host} in ~/.ssh/config.`,
    );
  }
  return providerUnreachable(
    providerId,
    `ssh to ${host} failed: ${words}`,
    `Check that "${command}" works in a terminal without a question.`,
  );
}

/** By what an account says in place of running a command: why, and the next step. The first one that fits counts. */
const refusals: readonly (readonly [said: RegExp, why: string, hint: string])[] = [
  [
    /account is currently not available|nologin/i,
    'its login shell refuses logins',
    'Use another user, or have whoever runs the host give this one a shell: "usermod -s /bin/bash USER".',
  ],
  [
    /sftp connections only/i,
    'the ssh server lets it only transfer files',
    'Use another user, or have whoever runs the host take "ForceCommand internal-sftp" away for this one in sshd_config.',
  ],
  [
    /password has expired|password change required|must change your password/i,
    'its password has expired',
    'Run "{command}" in a terminal and set a new one.',
  ],
  [
    /\brbash\b|\brestricted( shell)?$|restricted: /im,
    'its login shell is a restricted one, which runs no program by its path',
    'Use another user, or have whoever runs the host give this one a full shell: "usermod -s /bin/bash USER".',
  ],
  [
    /not a (terminal|tty)|must be connected to a terminal/i,
    'one of its start files starts a program that wants a terminal',
    'Let that file (~/.bashrc, ~/.zshenv, ~/.cshrc, or ~/.config/fish/config.fish) do so only in a terminal: "[ -t 0 ] && exec tmux".',
  ],
];

/** Pure: words what came of a login that succeeded, but ran something else than the command, or nothing. */
export function shellProblem(target: SshTarget, said: string): SwarmError {
  const { host, user } = target;
  const command = loginCommand(target);
  const words = wordsOf(said);
  const [, why, hint] = refusals.find(([pattern]) => pattern.test(said)) ?? [
    undefined,
    'its shell, one of its start files or the ssh server does something else',
    `Find out what "${command} echo hello" does in a terminal: nothing may come but "hello". It may be the login shell ("getent passwd USER"), a start file (~/.bashrc, ~/.zshenv, ~/.cshrc), or ForceCommand in sshd_config.`,
  ];
  return providerRefused(
    'ssh-shell',
    `${host} lets ${user ?? 'the user'} in, but runs no command: ${why} (${words || 'nothing was said'}).`,
    hint.replaceAll('{command}', command).replaceAll('USER', user ?? 'USER'),
  );
}

/** A host as `ssh` is called for it; what is not said is as the user's own configuration has it. */
export interface SshTarget {
  readonly host: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
}

/**
 * What the person's configuration may say of the host that makes something else of a command line, or of what it
 * prints. Older versions of `ssh` do not know all of it, and skip that.
 */
const asCalled = [
  ...['IgnoreUnknown=*', 'RemoteCommand=none', 'SessionType=default', 'StdinNull=no', 'ForkAfterAuthentication=no'],
  ...['PermitLocalCommand=no', 'ClearAllForwardings=yes', 'Tunnel=no', 'VisualHostKey=no', 'LogLevel=ERROR'],
];

/**
 * Arguments of one call of `ssh`: nothing is asked, a silent connection ends, and no connection is shared but the one
 * whose socket is named. `extra` are options of this call, and come before all others; `command` is what the host's
 * shell runs.
 */
export function sshArguments(
  { host, user, port }: SshTarget,
  extra: readonly string[],
  connection: string,
  command?: string,
): string[] {
  const options = [
    ...['BatchMode=yes', 'ConnectTimeout=10', 'ServerAliveInterval=5', 'ServerAliveCountMax=3'],
    ...['ControlMaster=no', `ControlPath="${unexpanded(connection)}"`, 'ControlPersist=no'],
    ...asCalled,
  ];
  return [
    ...extra,
    ...options.flatMap(option => ['-o', option]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    user === undefined ? host : `${user}@${host}`,
    ...(command === undefined ? [] : [command]),
  ];
}

/** A path in which `ssh` would else put something of its own. */
const unexpanded = (file: string) => file.replaceAll('%', '%%');

/** Ends with the stream that it reads, and so with whoever started `ssh`, however that ends. */
const waits = 'cat';

/** Of a connection that leads to a socket or a port: nobody else may use that. */
export const forwarding = 'StreamLocalBindMask=0177';
/** With it `ssh` tells why it can't lead there. */
const telling = 'LogLevel=INFO';

/** Arguments for an `ssh` whose connection others may share by its socket, as long as its input stays open. */
export function masterArguments(target: SshTarget, socket: string, isForwarding: boolean): string[] {
  const own = ['ControlMaster=yes', ...(isForwarding ? [forwarding, telling] : [])];
  return sshArguments(target, ['-T', ...own.flatMap(option => ['-o', option])], socket, waits);
}

/** Arguments for an `ssh` that joins its standard streams to a port of the host's loopback. */
export const joinArguments = (target: SshTarget, port: number) =>
  sshArguments(target, ['-W', `127.0.0.1:${port}`, '-o', telling], 'none');

/**
 * Arguments for an `ssh` that has such a connection lead from a socket here to a socket or `host:port` over there. It reads
 * no configuration: the forwards there would be asked for, too.
 */
export const forwardArguments = ({ host }: SshTarget, connection: string, socket: string, to: string) => [
  ...['-F', 'none', '-o', `ControlPath="${unexpanded(connection)}"`, '-O', 'forward'],
  ...['-L', `${unexpanded(socket)}:${to}`, '--', host],
];

import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Emitter } from '../../model/event.ts';
import type { TerminalSize, TerminalStream } from '../../model/provider.ts';
import { FrameReader, GateProgram } from './gateProgram.ts';
import { launcher, layout, node } from './machineConfig.ts';

/**
 * The terminal is made by `script`, as Fly's API has none; it notes its name, so that its size can be changed. No login
 * shell, as in the editor's own terminals: `/etc/profile` of many a distribution forgets the PATH of image and instance.
 */
const shell = `
tty > "$1"; stty echo columns "$2" rows "$3"
cd "$4" 2>/dev/null; [ -x /bin/bash ] && exec /bin/bash; exec /bin/sh`;
const made = `
command -v script >/dev/null || { echo 'The image of this instance has no "script", which makes terminals.'; exit 127; }
export REMOTE_SWARM_SHELL="$1"; shift
exec script -qefc '/bin/sh -c "$REMOTE_SWARM_SHELL" sh '"$*" /dev/null`;

/** Opens a stream to a program that the gate runs. */
type Reach = () => Promise<Duplex>;

/** A real TTY inside a machine. Disposing it ends the shell with all that it started. */
export async function openTerminalAtGate(reach: Reach, { columns, rows }: TerminalSize): Promise<TerminalStream> {
  const name = `/tmp/remote-swarm-terminal-${randomBytes(6).toString('hex')}`;
  const stream = await reach();
  const inside = [name, String(columns), String(rows), layout.workspace];
  const argv = [node, launcher, 'exec', layout.reserved, '/bin/sh', '-c', made, 'sh', shell, ...inside];
  const program = new GateProgram(stream, argv, layout.home);
  const data = new Emitter<string>();
  const exit = new Emitter<number | undefined>();
  const reader = new FrameReader(stream);
  const decoder = new TextDecoder();
  let over = false;
  const finish = (code: number | undefined) => {
    if (over) return;
    over = true;
    exit.fire(code);
  };
  stream.on('close', () => finish(undefined));
  const read = (chunk: Buffer) => {
    for (const { kind, content } of reader.take(chunk)) {
      if (kind === 'x') finish(content.readUInt32BE(0));
      else data.fire(decoder.decode(content, { stream: true }));
    }
  };
  return {
    // What comes before somebody listens is kept by the stream, which flows from the first listener on.
    onData: listener => {
      const subscription = data.event(listener);
      if (stream.listenerCount('data') === 0) stream.on('data', read);
      return subscription;
    },
    onExit: exit.event,
    write: text => {
      if (program.input.writable) program.input.write(text);
    },
    resize: size => void resize(reach, name, size).catch(() => {}),
    dispose: () => {
      data.dispose();
      exit.dispose();
      if (over) stream.destroy();
      else void program.end();
      over = true;
    },
  };
}

/** Also right after the start: it waits until the terminal has a name. */
async function resize(reach: Reach, name: string, { columns, rows }: TerminalSize): Promise<void> {
  const command =
    'for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$1" ] && break; sleep 0.2; done; stty -F "$(cat "$1")" columns "$2" rows "$3"';
  const stream = await reach();
  new GateProgram(stream, ['sh', '-c', command, 'sh', name, String(columns), String(rows)], '/').input.end();
  stream.resume();
}

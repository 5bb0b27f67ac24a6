import { Emitter } from '../../model/event.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { TerminalSize, TerminalStream } from '../../model/provider.ts';
import { finalExitCode, startExec } from './containerExec.ts';
import { launcher, layout, node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';

/**
 * A shell in the workspace, with the instance's variables; bash where there is one. No login shell, as in the editor's own
 * terminals: `/etc/profile` of many a distribution forgets the PATH that the image and the instance have.
 */
const shell = [
  ...[node, launcher, 'exec', layout.reserved, '/bin/sh', '-c'],
  'cd "$1" 2>/dev/null; [ -x /bin/bash ] && exec /bin/bash; exec /bin/sh',
  'sh',
  layout.workspace,
];

/** A real TTY inside a container. Disposing it ends the shell with all that it started. */
export async function openTerminal(
  engine: DockerEngine,
  containerId: string,
  size: TerminalSize,
  ctx: OperationContext,
): Promise<TerminalStream> {
  const exec = await startExec(engine, containerId, shell, ctx, size);
  const data = new Emitter<string>();
  const exit = new Emitter<number | undefined>();
  // What comes before somebody listens is kept by the stream, which flows from the first listener on.
  const decoder = new TextDecoder();
  let over = false;
  const finish = async () => {
    if (over) return;
    over = true;
    const code = await finalExitCode(exec).catch(() => undefined);
    exit.fire(code);
  };
  exec.stream.on('end', () => void finish());
  exec.stream.on('close', () => void finish());
  exec.stream.on('error', () => void finish());
  return {
    onData: listener => {
      const subscription = data.event(listener);
      if (exec.stream.listenerCount('data') === 0) {
        exec.stream.on('data', (chunk: Buffer) => data.fire(decoder.decode(chunk, { stream: true })));
      }
      return subscription;
    },
    onExit: exit.event,
    write: text => {
      if (exec.stream.writable) exec.stream.write(text);
    },
    resize: newSize => void exec.resize(newSize).catch(() => {}),
    dispose: () => {
      data.dispose();
      exit.dispose();
      if (over) exec.stream.destroy();
      else void exec.end().catch(() => {});
      over = true;
    },
  };
}

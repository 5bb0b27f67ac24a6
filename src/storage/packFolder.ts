import { spawn } from 'node:child_process';
import { providerRefused } from '../model/errors.ts';

/** A tar of everything in `folder`, streamed by the system's `tar`. Rejects when tar fails or is not there. */
export async function* packFolder(folder: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const tar = spawn('tar', ['-C', folder, '-c', '-f', '-', '.'], { stdio: ['ignore', 'pipe', 'pipe'], signal });
  let complaint = '';
  tar.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-500);
  });
  const ended = new Promise<number>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', code => resolve(code ?? 1));
  });
  ended.catch(() => {});
  try {
    for await (const chunk of tar.stdout) yield chunk as Uint8Array;
    const code = await ended;
    if (code !== 0) throw new Error(complaint.trim() || `exit code ${code}`);
  } catch (error) {
    signal.throwIfAborted();
    throw providerRefused(
      'folder-unreadable',
      `The folder ${folder} cannot be read: ${(error as Error).message}.`,
      'Choose a folder that this user may read; its files are copied by the system’s tar.',
      error,
    );
  } finally {
    tar.kill();
  }
}

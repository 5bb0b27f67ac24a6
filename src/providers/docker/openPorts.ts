import type { OperationContext } from '../../model/operationContext.ts';
import { listeningPorts } from '../listeningPorts.ts';
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

// The Docker engine of whoever runs the suites, which they use where they can't start engines of their own.
import { randomBytes } from 'node:crypto';
import Dockerode from 'dockerode';
import { resolveEndpoint } from '../src/providers/docker/dockerEndpoint.ts';
import { thisMachine } from '../src/providers/docker/dockerEngine.ts';
import { engineProblem } from '../test/engine/support/engine.ts';
import { removeAllMade } from '../test/engine/support/guestEngine.ts';

const variable = 'REMOTE_SWARM_TEST_ENGINE';

/** The socket of the engine that `docker` would talk to here; undefined where that is on another machine. */
async function usualSocket(): Promise<string | undefined> {
  const endpoint = await resolveEndpoint({ id: 'tests' }, thisMachine);
  return endpoint.kind === 'socket' ? endpoint.path : undefined;
}

/**
 * Sees that the suites have an engine, where there is one, and says so before. Answers with what ends their visit:
 * removes what they have made there, and tells what could not be removed.
 */
export async function visitEngineHere(): Promise<() => Promise<string[]>> {
  const { [variable]: asked } = process.env;
  delete process.env[variable];
  const nothing = async () => [];
  if (asked === 'none' || (asked === undefined && engineProblem() === undefined)) return nothing;
  const socket = asked?.replace(/^unix:\/\//, '') ?? (await usualSocket().catch(() => undefined));
  if (socket === undefined) return nothing;
  const impatient = new Dockerode({ socketPath: socket, timeout: 10_000 });
  const answer = await impatient.version().catch((error: Error) => error);
  if (answer instanceof Error) {
    console.log(`No Docker engine can be used at ${socket}: ${answer.message}`);
    return nothing;
  }
  const run = randomBytes(6).toString('hex');
  process.env[variable] = `unix://${socket}`;
  process.env.REMOTE_SWARM_TEST_GUEST = run;
  console.log(
    `The suites use the Docker engine ${answer.Version} at ${socket}. They touch only what they make there: containers, ` +
      `volumes, networks and images with the label remote-swarm-test=${run}.*, which are removed at the end. ` +
      `To leave it alone, set ${variable}=none.`,
  );
  return async () => {
    const failures = await removeAllMade(new Dockerode({ socketPath: socket }), run);
    return failures.map(failure => `on the Docker engine: ${failure}`);
  };
}

import type Dockerode from 'dockerode';
import { afterAll, describe, test } from 'vitest';
import { notHere } from '../../fakes/notHere.ts';
import { engineProblem, startEngine } from './engine.ts';
import { visitEngine } from './guestEngine.ts';

/** The engine that a suite runs on. It may be somebody's own: only what the suite made may be removed from it. */
export interface TestEngine {
  /** As `DOCKER_HOST` takes it. */
  readonly host: string;
  readonly docker: Dockerode;
}

/** One that a test has started. */
export interface ClosableEngine extends TestEngine {
  /** Ends it with all that it runs, and removes every trace. */
  stop(): Promise<void>;
}

let running: Promise<TestEngine> | undefined;
let end: (() => Promise<void>) | undefined;

/**
 * The engine that the environment variable REMOTE_SWARM_TEST_ENGINE names, as `unix:///path`, through a door behind which
 * only what this file makes is seen and changed; else one that is started for this file. Either ends with it. Call it in
 * a hook or a test of a {@link describeWithEngine}.
 */
export function testEngine(): Promise<TestEngine> {
  running ??= given();
  return running;
}

async function given(): Promise<TestEngine> {
  const host = process.env.REMOTE_SWARM_TEST_ENGINE;
  if (host) {
    const guest = await visitEngine(host.replace(/^unix:\/\//, ''));
    end = guest.leave;
    return guest;
  }
  const engine = await startEngine({ name: 'suite' });
  end = engine.stop;
  return engine;
}

/** A `describe` for what uses {@link testEngine}. */
export function describeWithEngine(name: string, suite: () => void): void {
  const problem = process.env.REMOTE_SWARM_TEST_ENGINE ? undefined : engineProblem();
  describeUnless(problem, name, () => {
    afterAll(async () => {
      await end?.();
      end = undefined;
      running = undefined;
    });
    suite();
  });
}

/** A `describe` for what starts engines of its own. */
export function describeWithOwnEngine(name: string, suite: () => void): void {
  describeUnless(engineProblem(), name, suite);
}

/** Where there is a problem, the suite is skipped with the reason in its name; in CI that is a failure. */
export function describeUnless(problem: string | undefined, name: string, suite: () => void): void {
  if (problem === undefined) describe(name, suite);
  else if (!process.env.CI) describe.skip(notHere(name, problem), suite);
  else {
    test(name, () => {
      throw new Error(`This suite must run in CI, and can't: ${problem}`);
    });
  }
}

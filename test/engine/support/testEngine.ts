import Dockerode from 'dockerode';
import { afterAll, describe, test } from 'vitest';
import { type Engine, engineProblem, startEngine } from './engine.ts';

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

/**
 * The engine that the environment variable REMOTE_SWARM_TEST_ENGINE names, as `unix:///path`; else one that is started
 * for this file, and ended with it. Call it in a hook or a test of a {@link describeWithEngine}.
 */
export function testEngine(): Promise<TestEngine> {
  running ??= given();
  return running;
}

let ownEngine: Engine | undefined;

async function given(): Promise<TestEngine> {
  const host = process.env.REMOTE_SWARM_TEST_ENGINE;
  if (host) return { host, docker: new Dockerode({ socketPath: host.replace(/^unix:\/\//, '') }) };
  ownEngine = await startEngine({ name: 'suite' });
  return ownEngine;
}

/** A `describe` for what uses {@link testEngine}. */
export function describeWithEngine(name: string, suite: () => void): void {
  const problem = process.env.REMOTE_SWARM_TEST_ENGINE ? undefined : engineProblem();
  describeUnless(problem, name, () => {
    afterAll(async () => {
      await ownEngine?.stop();
      ownEngine = undefined;
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
  else if (!process.env.CI) describe.skip(`${name} (skipped: ${problem})`, suite);
  else {
    test(name, () => {
      throw new Error(`This suite must run in CI, and can't: ${problem}`);
    });
  }
}

import type { Migration, MigrationStep, MigrationStepState } from '../../../src/model/migration.ts';
import { MigrationStep as Step } from '../../../src/model/migration.ts';
import { noon } from './healthFacts.ts';
import { idOf } from './rowFacts.ts';

const minutes = (count: number) => new Date(noon + count * 60_000).toISOString();

/** A migration under way from local to Docker; `running` is the step it is at. */
export function migrationOf(number: number, change: Partial<Migration> = {}, running?: MigrationStep): Migration {
  const at = running === undefined ? -1 : Step.options.indexOf(running);
  const steps = Step.options.map(
    (step, index): MigrationStepState => ({ step, status: index < at ? 'done' : index === at ? 'running' : 'pending' }),
  );
  return {
    id: idOf(number),
    schemaVersion: 1,
    revision: 1,
    instanceId: idOf(number + 100),
    instanceName: `web-${number}`,
    sourceProviderId: 'local',
    targetProviderId: 'docker',
    strategy: 'stop-and-recreate',
    status: 'in-progress',
    plan: { bytes: 300_000_000, files: 12, estimatedDowntime: 30, losses: [] },
    steps,
    createdAt: minutes(-10 + number),
    startedAt: minutes(-5),
    wasRunning: true,
    sourceEpoch: 1,
    leftovers: [],
    ...change,
  };
}

/** Moved, with the old copy kept until tomorrow. */
export const parked = (number: number, change: Partial<Migration> = {}): Migration =>
  migrationOf(number, {
    ...{ status: 'completed', pivotedAt: minutes(-3), endedAt: minutes(-2), parkedUntil: minutes(24 * 60) },
    ...change,
  });

/** It ended before the pivot. */
export const ended = (number: number, status: Migration['status'], change: Partial<Migration> = {}): Migration =>
  migrationOf(number, { status, endedAt: minutes(-2), ...change });

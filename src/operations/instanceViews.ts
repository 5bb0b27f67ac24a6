import { restorableUntil } from '../core/trashExpiry.ts';
import type { InstanceHealth } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { cut } from '../model/textCut.ts';
import { healthBrief } from './healthViews.ts';

const mostEntries = 40;
const mostCharacters = 200;

/** One line of a listing: what is needed to choose an instance. */
export function instanceRow(record: InstanceRecord) {
  const { id, config, status, providerId } = record;
  const detail = record.detail ?? record.error?.message;
  return {
    id,
    name: config.name,
    status,
    provider: providerId,
    ...(detail !== undefined && { detail: cut(detail, mostCharacters) }),
    ...(config.image !== undefined && { image: cut(config.image, mostCharacters) }),
    ...(config.ports.length > 0 && { ports: config.ports }),
  };
}

/** Everything about one instance but secrets: of secret variables only the names, and never a token. */
export function instanceDetail(record: InstanceRecord, health?: InstanceHealth) {
  const { config, setup, error, trashedAt } = record;
  const until = restorableUntil(record);
  return {
    ...instanceRow(record),
    desired: record.desired,
    ...(record.pinnedImage !== undefined && { pinnedImage: record.pinnedImage }),
    ...(config.region !== undefined && { region: config.region }),
    resources: config.resources,
    env: clipped(config.env),
    secretEnv: config.secretEnv,
    extensions: config.extensions,
    source: config.source,
    metadata: clipped(config.metadata),
    createdAt: record.createdAt,
    statusSince: record.statusSince,
    ...(health && { health: healthBrief(health) }),
    ...(setup && {
      setup: { status: setup.status, problems: setup.problems.slice(0, 10).map(text => cut(text, 500)) },
    }),
    ...(error && { error: { ...error, message: cut(error.message, 500) } }),
    ...(trashedAt !== undefined && { trashedAt }),
    ...(until !== undefined && { restorableUntil: until }),
    next: nextStep(record, health),
  };
}

/** What a model may do next with an instance in this state, in one sentence. */
export function nextStep({ status, setup }: InstanceRecord, health?: InstanceHealth): string {
  switch (status) {
    case 'creating':
    case 'starting':
    case 'stopping':
    case 'deleting':
      return `It is ${status}; call get_swarm_instance again in some seconds.`;
    case 'running':
      if (health?.status === 'unhealthy') return unhealthyStep;
      return setup?.status === 'failed'
        ? 'It runs, but its first set-up failed: see setup.problems, and mend it with run_in_instance.'
        : 'Use run_in_instance to work in it, get_instance_logs to read its log, stop_swarm_instance when it is not needed.';
    case 'stopped':
      return 'Its files are kept. Use start_swarm_instance to work in it.';
    case 'failed':
      return 'See error and get_instance_logs; then update_swarm_instance or start_swarm_instance.';
    case 'trashed':
      return 'It was deleted. A person can restore it in the Instances view.';
    case 'lost':
      return 'Its provider no longer has it. Tell the person, who can look at the Instances view.';
    case 'unknown':
      return 'Its provider does not answer: see get_swarm_status. Do not act on it before it does.';
  }
}

const unhealthyStep =
  'It runs but does not work: see check_instance_health and get_instance_logs; recover_instance may help.';

function clipped(values: Readonly<Record<string, string>>) {
  const entries = Object.entries(values);
  const kept = entries.slice(0, mostEntries).map(([key, value]) => [key, cut(value, mostCharacters)]);
  const left = entries.length - kept.length;
  return Object.fromEntries([...kept, ...(left > 0 ? [['…', `${left} more`]] : [])]) as Record<string, string>;
}

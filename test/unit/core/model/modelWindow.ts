import type { SwarmController } from '../../../../src/core/swarmController.ts';
import type { RecoveryRung } from '../../../../src/model/health.ts';
import type { InstanceRecord } from '../../../../src/model/instance.ts';
import type { OperationContext } from '../../../../src/model/operationContext.ts';
import { MemoryLease } from '../../../fakes/memoryLease.ts';
import type { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import type { ModelWorld } from './modelWorld.ts';
import { WitnessedProvider } from './witnessedProvider.ts';

/** One window on the world. Once it is killed, nothing that it does reaches the world any more. */
export class ModelWindow {
  readonly controller: SwarmController;
  /** What only the ladder calls is watched; persons recover with this. */
  readonly recover: SwarmController['recoverInstance'];
  readonly #world: ModelWorld;
  #isDead = false;

  constructor(world: ModelWorld) {
    this.#world = world;
    const { disks, locks, seat, swarmId, places, witness } = world;
    const refuseDead = () => {
      if (this.#isDead) throw new Error('This window is dead.');
    };
    this.controller = memorySwarm({
      swarmId,
      locks,
      lease: new MemoryLease(seat),
      autoSaveSeconds: 5,
      disk: reached(disks.instances, refuseDead),
      healthDisk: reached(disks.health, refuseDead),
      migrationDisk: reached(disks.migrations, refuseDead),
      providers: [
        new WitnessedProvider(places.here, 'here', witness, refuseDead),
        new WitnessedProvider(places.there, 'there', witness, refuseDead),
      ],
      defaultProviderType: 'here',
    }).controller;
    const { controller } = this;
    this.recover = controller.recoverInstance.bind(controller);
    controller.recoverInstance = (id, rung, ctx) => this.#climb(id, rung, ctx);
  }

  open(): Promise<void> {
    return this.controller.initialize();
  }

  /** It ends in peace, and what it could not end by then dies with it. */
  async close(): Promise<void> {
    await this.controller.dispose();
    this.#isDead = true;
  }

  /** Its process dies. */
  async kill(): Promise<void> {
    this.#isDead = true;
    await this.controller.dispose();
  }

  async #climb(id: string, rung: RecoveryRung | undefined, ctx?: OperationContext): Promise<InstanceRecord> {
    const done = this.#world.witness.climb(this, id, rung ?? 'restart');
    try {
      return await this.recover(id, rung, ctx);
    } finally {
      done();
    }
  }
}

/** A disk as one window reaches it. */
function reached(disk: MemoryDisk, refuseDead: () => void): MemoryDisk {
  const { records, changes } = disk;
  const written = new Proxy(records, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (key === 'set' || key === 'delete') refuseDead();
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { records: written, changes };
}

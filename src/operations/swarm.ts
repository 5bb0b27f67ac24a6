import type { InstanceRegistry } from '../core/instanceRegistry.ts';
import type { SwarmController } from '../core/swarmController.ts';

/** What the operations ask of the controller. */
export interface Swarm
  extends Pick<
    SwarmController,
    | 'createInstance'
    | 'getInstance'
    | 'listInstances'
    | 'startInstance'
    | 'stopInstance'
    | 'restartInstance'
    | 'updateInstance'
    | 'deleteInstance'
    | 'restoreInstance'
    | 'purgeInstance'
    | 'adoptInstance'
    | 'openInstance'
    | 'getInstanceLogs'
    | 'executeCommand'
    | 'getSwarmStatus'
  > {
  readonly registry: Pick<InstanceRegistry, 'getInstance'>;
}

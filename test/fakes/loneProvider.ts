import type { InstanceRole, VSCodeInstance } from '../../src/model/instance.ts';
import { type LockedContext, type OperationContext, quietContext } from '../../src/model/operationContext.ts';
import type {
  InstanceChange,
  InstanceHeir,
  InstanceSpec,
  Provider,
  ProviderAbilities,
} from '../../src/model/provider.ts';

export interface LoneAbilities extends ProviderAbilities {
  recreateInstance(spec: InstanceSpec, ctx?: OperationContext): Promise<VSCodeInstance>;
  trashInstance(instanceId: string, ctx?: OperationContext): Promise<void>;
  restoreInstance(instanceId: string, ctx?: OperationContext): Promise<VSCodeInstance>;
  prepareIncoming(spec: InstanceSpec, ctx?: OperationContext): Promise<VSCodeInstance>;
  setRole(instanceId: string, role: InstanceRole, ctx?: OperationContext): Promise<VSCodeInstance>;
  transfer(instanceId: string, heir: InstanceHeir, ctx?: OperationContext): Promise<VSCodeInstance>;
  giveUpServer?(instanceId: string, ctx?: OperationContext): Promise<VSCodeInstance>;
}

/** A provider whose instances nobody else works on: what changes them may be called without a lock. */
export interface LoneProvider extends Provider {
  readonly abilities: LoneAbilities;
  createInstance(spec: InstanceSpec, ctx?: OperationContext): Promise<VSCodeInstance>;
  startInstance(instanceId: string, ctx?: OperationContext): Promise<VSCodeInstance>;
  stopInstance(instanceId: string, force?: boolean, ctx?: OperationContext): Promise<VSCodeInstance>;
  deleteInstance(instanceId: string, ctx?: OperationContext): Promise<boolean>;
  updateInstance(
    instanceId: string,
    config: InstanceChange,
    ctx?: OperationContext,
    secrets?: Readonly<Record<string, string>>,
  ): Promise<VSCodeInstance>;
}

/** Of somebody beside whom there is nobody. */
export const loneContext: LockedContext = { ...quietContext, lock: { assertHeld: () => {} } };

/** Where the context stands among the arguments of what changes something. */
const places: Readonly<Record<string, number>> = {
  ...{ createInstance: 1, startInstance: 1, stopInstance: 2, deleteInstance: 1, updateInstance: 2 },
  ...{
    recreateInstance: 1,
    trashInstance: 1,
    restoreInstance: 1,
    prepareIncoming: 1,
    setRole: 2,
    transfer: 2,
    giveUpServer: 1,
  },
};

/** The provider, which is given a lock that nobody takes wherever it needs one. */
export function loneProvider(provider: Provider): LoneProvider {
  const abilities = withLock(provider.abilities);
  return withLock(provider, { abilities });
}

const withLock = <T extends object>(target: T, own: Partial<T> = {}): T =>
  new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const place = places[String(name)];
        if (place !== undefined) args[place] = { ...loneContext, ...(args[place] as OperationContext | undefined) };
        return member.apply(target, args) as unknown;
      };
    },
  });

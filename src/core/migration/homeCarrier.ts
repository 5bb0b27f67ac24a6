import { homeMissing } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';

/** What a home holds; the digest is equal for two homes only when they are (semantics 16). */
export interface HomeSize {
  readonly bytes: number;
  readonly files: number;
}
export interface HomeFacts extends HomeSize {
  readonly digest: string;
}

/** How homes are compared, and brought from one provider to another. */
export interface HomeCarrier {
  /** Whether it can do so at this provider. */
  reaches(provider: Provider): boolean;
  /** Reads the whole home, of an instance that runs or not. */
  look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts>;
  /** Makes the home at the target equal with the source's; what the target has already may be left as it is. */
  copy(source: Provider, target: Provider, instanceId: string, ctx: OperationContext): Promise<HomeSize>;
}

/** Where no provider hands over homes. */
export const noHomes: HomeCarrier = {
  reaches: () => false,
  look: (provider, instanceId) => Promise.reject(homeMissing(instanceId, provider.id)),
  copy: (_source, target, instanceId) => Promise.reject(homeMissing(instanceId, target.id)),
};

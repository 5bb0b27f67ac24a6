import type { OperationContext } from '../model/operationContext.ts';
import type { Provider } from '../model/provider.ts';

/** Null only when the place has said twice that there is no such instance (semantics 24). */
export const getTwice = async (provider: Provider, id: string, ctx: OperationContext) =>
  (await provider.getInstance(id, ctx)) ?? (await provider.getInstance(id, ctx));

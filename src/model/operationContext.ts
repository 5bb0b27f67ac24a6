/** What travels with every call below the faces: how to stop it, and where to say how far it is. */
export interface OperationContext {
  /** Aborted when the caller no longer wants the result. Everything that waits listens to it. */
  readonly signal: AbortSignal;
  /** Says in one short sentence what is being done; `fraction` in 0..1 when it is known. Never throws. */
  report(message: string, fraction?: number): void;
  /** Throws when what was agreed to may not be done any more. Asked once its turn has come, right before the deed. */
  permit?(instanceId: string): Promise<void>;
}

/** A context that is never cancelled and reports to nobody. */
export const quietContext: OperationContext = {
  signal: new AbortController().signal,
  report: () => {},
};

/** The same context that also ends after `milliseconds`; the time-out aborts with a `TimeoutError`. */
export function withTimeout(context: OperationContext, milliseconds: number): OperationContext {
  return {
    ...context,
    signal: AbortSignal.any([context.signal, AbortSignal.timeout(milliseconds)]),
    report: (message, fraction) => context.report(message, fraction),
  };
}

import type { Asker } from './caller.ts';

/** What the holder of a lock may ask. */
export interface LockHandle {
  /** Throws `lockLost` when the lock was taken over, as when this process was stopped for long (semantics 30). */
  assertHeld(): void;
  /** Of a lock that only whoever called can tell of: asks them, so that {@link assertHeld} knows. */
  ask?(): Promise<void>;
}

/**
 * For whom an instance is changed: the swarm that owns it, and the last that this swarm knows of who owns it (semantics
 * 40, 41). A place refuses it when it knows better.
 */
export interface Claim {
  readonly swarmId: string;
  readonly epoch: number;
  /** Absent means 0. */
  readonly generation?: number | undefined;
}

/** What travels with every call below the faces: how to stop it, and where to say how far it is. */
export interface OperationContext {
  /** Aborted when the caller no longer wants the result. Everything that waits listens to it. */
  readonly signal: AbortSignal;
  /** Says in one short sentence what is being done; `fraction` in 0..1 when it is known. Never throws. */
  report(message: string, fraction?: number): void;
  /** Who asks for it; nobody when the controller does it by itself. */
  readonly by?: Asker;
  /** Whether an image may be pulled with the credentials of the person who runs this: a person chose it. */
  readonly pullsAsPerson?: boolean;
  /** Throws when what was agreed to may not be done any more. Asked once its turn has come, right before the deed. */
  permit?(instanceId: string): Promise<void>;
  /** Of what is worked on. To be proven right before each act that changes something outside (semantics 44). */
  readonly lock?: LockHandle;
  /** To be proven right before each change of an instance. */
  readonly claim?: Claim | undefined;
}

/** What changes something needs its lock, and carries it down to where the change is made. */
export interface LockedContext extends OperationContext {
  readonly lock: LockHandle;
}

/** A context that is never cancelled and reports to nobody. */
export const quietContext: OperationContext = {
  signal: new AbortController().signal,
  report: () => {},
};

/** Right before an act outside: rejects with `lock-lost` unless the lock, where there is one, is held at this moment. */
export async function proveHeld({ lock }: OperationContext): Promise<void> {
  await lock?.ask?.();
  lock?.assertHeld();
}

/** A change of a record that is made only while the lock is held at that moment. */
export const underLock =
  <T, R>({ lock }: LockedContext, change: (current: T) => R) =>
  (current: T): R => {
    lock.assertHeld();
    return change(current);
  };

/** For what is to be ended whatever was cancelled: by the holder of the same lock, who alone may. */
export const uncancelled = <C extends OperationContext>(context: C): C => ({ ...context, ...quietContext });

/** The same context that also ends with `signal`. */
export const withSignal = <C extends OperationContext>(context: C, signal: AbortSignal): C => ({
  ...context,
  report: (message: string, fraction?: number) => context.report(message, fraction),
  signal: AbortSignal.any([context.signal, signal]),
});

/** The same context that also ends after `milliseconds`; the time-out aborts with a `TimeoutError`. */
export const withTimeout = <C extends OperationContext>(context: C, milliseconds: number): C =>
  withSignal(context, AbortSignal.timeout(milliseconds));

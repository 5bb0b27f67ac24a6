import * as z from 'zod';
import type { Caller } from '../model/caller.ts';
import type { Effect } from '../model/config.ts';
import { invalidInput, type SwarmError, unexpectedResult } from '../model/errors.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { SetupConsent } from '../model/setupConsent.ts';
import type { Loss, Revelation, Undoing, Worse } from './consequences.ts';
import type { Audience } from './policy.ts';
import type { Swarm } from './swarm.ts';
import type { Target } from './targets.ts';
import type { Translate } from './translate.ts';

/** A question put to a person before something is done. */
export interface Confirmation {
  readonly title: string;
  /** What exactly goes, what is lost and what is kept; lines of plain text. */
  readonly detail: string;
  /** The verb on the button. */
  readonly action: string;
}

/** Who asks for an operation, and how a person can be asked. */
export interface OperationCall extends OperationContext {
  readonly caller: Caller;
  /** For the audit log: a user, `chat`, the name of a client. */
  readonly actor: string;
  /** Values of secret variables, by name; never part of the input, so that no log and no chat sees them (semantics 35). */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Shows a question that nothing can skip; true only when the person pressed the button. */
  confirm(question: Confirmation): Promise<boolean>;
}

/** What a running operation knows beside its input. */
export interface RunContext extends OperationContext {
  /** What was named in the confirmation; nothing else may be touched by an operation that destroys. */
  readonly targets: readonly Target[];
  /** Instances that the gate did not let through, with the reason; an outcome says so for each. */
  readonly refused: ReadonlyMap<string, SwarmError>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Undefined when nobody is there who could agree to anything. */
  readonly consent: SetupConsent | undefined;
}

/** An entry of the catalog, as its author writes it. */
export interface OperationDefinition<Input extends z.ZodObject, Output extends z.ZodType, Seen> {
  /** Stable; the name of the chat tool as well. */
  readonly name: string;
  readonly title: string;
  /** For a model: what it does, when to use it and when not, what it answers, its limits. */
  readonly description: string;
  readonly effect: Effect;
  readonly audience: Audience;
  /** What it can destroy and reveal at worst, and how a person takes it back; the page about security is made of it. */
  readonly destroys: Loss;
  readonly reveals: Revelation;
  readonly undo: Undoing;
  readonly worse?: Worse<z.output<Input>>;
  /** Asks a person first, whatever the policy allows. */
  readonly alwaysAsks?: boolean;
  /** Goes on when the audit log can't be written (semantics 31: stop). Reads always do. */
  readonly worksUnaudited?: boolean;
  /** Done also where the state is another machine's (semantics 39). Reads always are. */
  readonly worksElsewhere?: boolean;
  readonly input: Input;
  readonly output: Output;
  /** The input with what is left to the controller decided, once: what is asked about is what is done. */
  decide?(swarm: Swarm, input: z.output<Input>): z.output<Input>;
  /** The instances it is about. Throws `instanceNotFound` when none of them is known. */
  targets?(swarm: Swarm, input: z.output<Input>): readonly Target[];
  /** What a person is shown of the world, and its deed holds to: what is different by then is not done. */
  look?(swarm: Swarm, input: z.output<Input>): Promise<Seen> | Seen;
  /** Worded for the moment before it is done. Needed by everything but reads. */
  question?(
    translate: Translate,
    input: z.output<Input>,
    targets: readonly Target[],
    swarm: Swarm,
    seen: Seen,
  ): Confirmation;
  /** The input as the audit log may hold it. */
  redact?(input: z.output<Input>): unknown;
  /** Of an operation on several instances: `done` or an error's code for each. */
  outcomes?(output: z.output<Output>): Readonly<Record<string, string>>;
  /** Of an operation that makes an instance: its id, for the audit log. */
  made?(output: z.output<Output>): string;
  run(swarm: Swarm, input: z.output<Input>, ctx: RunContext, seen: Seen): Promise<z.input<Output>>;
}

/** An operation with an input that fits its schema. */
export interface PreparedOperation {
  readonly arguments: unknown;
  /** Nothing brings back what it destroys with this input. */
  readonly isFinal: boolean;
  targets(swarm: Swarm): readonly Target[];
  /** Looks once at what is asked about, and done. */
  look(swarm: Swarm): Promise<SeenOperation>;
}

/** An operation with an input, and with what a person is shown before it is done. */
export interface SeenOperation {
  question(translate: Translate, targets: readonly Target[], swarm: Swarm): Confirmation;
  /** Rejects with `unexpectedResult` when what came out does not fit the output schema. */
  run(
    swarm: Swarm,
    ctx: RunContext,
  ): Promise<{ output: unknown; outcomes?: Readonly<Record<string, string>>; made?: string }>;
}

/** An entry of the catalog as the gate and the faces see it. */
export interface Operation {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly audience: Audience;
  readonly destroys: Loss;
  readonly reveals: Revelation;
  readonly undo: Undoing;
  readonly worse: Pick<Worse<never>, 'when' | 'destroys' | 'undo'> | undefined;
  readonly alwaysAsks: boolean;
  readonly worksUnaudited: boolean;
  readonly worksElsewhere: boolean;
  readonly input: z.ZodObject;
  readonly output: z.ZodType;
  /** Throws `invalidInput`, naming each field. Changes nothing. */
  prepare(input: unknown, swarm: Swarm): PreparedOperation;
}

/** Makes a catalog entry; afterwards nobody needs to know its types. */
export function defineOperation<Input extends z.ZodObject, Output extends z.ZodType, Seen = undefined>(
  definition: OperationDefinition<Input, Output, Seen>,
): Operation {
  const { name, title, description, effect, audience, input: schema, output: outputSchema } = definition;
  return {
    name,
    title,
    description,
    effect,
    audience,
    destroys: definition.destroys,
    reveals: definition.reveals,
    undo: definition.undo,
    worse: definition.worse,
    alwaysAsks: definition.alwaysAsks ?? false,
    worksUnaudited: effect === 'read' || (definition.worksUnaudited ?? false),
    worksElsewhere: effect === 'read' || (definition.worksElsewhere ?? false),
    input: schema,
    output: outputSchema,
    prepare: (raw, swarm) => {
      const parsed = z.safeParse(schema, raw, { reportInput: true });
      if (!parsed.success) throw invalidInput(`The input of "${title}"`, problemsOf(parsed.error));
      const input = definition.decide?.(swarm, parsed.data) ?? parsed.data;
      return {
        arguments: definition.redact?.(input) ?? input,
        isFinal: (definition.worse?.holds(input, swarm) ? definition.worse : definition).undo === 'never',
        targets: swarm => definition.targets?.(swarm, input) ?? [],
        look: async swarm => {
          const seen = (await definition.look?.(swarm, input)) as Seen;
          return {
            question: (translate, targets, swarm) =>
              definition.question?.(translate, input, targets, swarm, seen) ?? {
                ...{ title: `${title}?`, detail: '', action: title },
              },
            run: async (swarm, ctx) => {
              const output = await definition.run(swarm, input, ctx, seen);
              const checked = z.safeParse(outputSchema, output, { reportInput: true });
              if (!checked.success) throw unexpectedResult(`"${title}"`, problemsOf(checked.error));
              const outcomes = definition.outcomes?.(checked.data);
              const made = definition.made?.(checked.data);
              return { output: checked.data, ...(outcomes && { outcomes }), ...(made !== undefined && { made }) };
            },
          };
        },
      };
    },
  };
}

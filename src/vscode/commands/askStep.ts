import { askText, goBack } from '../multiStep.ts';
import { t } from '../translate.ts';
import { problemOf, type StepId, type WizardFacts } from '../wizardSteps.ts';
import { questionFor } from './wizardTexts.ts';

export const noFacts: WizardFacts = { t, takenNames: [], providers: [] };

/** One question of the wizard by itself, with its check; undefined when the person gave up. */
export async function askStep(
  step: StepId,
  value: string,
  title: string,
  facts = noFacts,
): Promise<string | undefined> {
  const problem = (text: string) => problemOf({ step, answers: {} }, text, facts);
  const answer = await askText({ title, ...questionFor(step, t), value, problem });
  return answer === goBack ? undefined : answer?.trim();
}

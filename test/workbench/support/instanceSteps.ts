import type { Workbench } from './workbench.ts';

interface Wish {
  readonly provider: string;
  readonly name: string;
  /** Where the provider has a choice. */
  readonly region?: string;
  /** Takes a picture of a step. */
  shot?(step: string): Promise<void>;
  /** Presses Back at the second step, to see that what was typed is kept. */
  readonly goBackOnce?: boolean;
}

/** Makes an instance as a person does, and waits until it runs. The rows of the view must show. */
export async function createByWizard(
  workbench: Workbench,
  { provider, name, shot, goBackOnce, region: wantedRegion = 'Default' }: Wish,
): Promise<void> {
  await workbench.command('Remote Swarm: Create Instance…');
  await workbench.type('A name for the instance', name);
  if (goBackOnce) {
    await workbench.step('Where shall it run?');
    await shot?.('2-wizard-provider');
    await workbench.back();
    await workbench.accept('A name for the instance');
  }
  await workbench.pick('Where shall it run?', provider);
  await workbench.pick('What shall its workspace hold?', 'Nothing');
  const region = workbench.stepIsOpen('In which region shall its home be?');
  const size = workbench.stepIsOpen('How big shall it be?');
  const others = workbench.stepIsOpen('What else shall it have?');
  await region.or(size).or(others).waitFor();
  if (await region.isVisible()) {
    await shot?.('2-wizard-region');
    await workbench.pick('In which region shall its home be?', wantedRegion);
    await size.or(others).waitFor();
  }
  if (await size.isVisible()) await workbench.pick('How big shall it be?', 'Default');
  await workbench.accept('What else shall it have?');
  await workbench.step('Press Enter to create it');
  await shot?.('3-wizard-summary');
  await workbench.accept('Press Enter to create it');
  await workbench.rowSays(name, /^running/);
  await workbench.notification(`${name} is running.`).waitFor();
}

/** Deletes an instance, and then permanently, each with its question answered. */
export async function deleteForGood(
  workbench: Workbench,
  name: string,
  shot?: (step: string) => Promise<void>,
): Promise<void> {
  await workbench.contextAction(name, 'Delete…');
  await workbench.dialogButton('Delete Instance');
  await workbench.openTrash(name);
  await workbench.contextAction(name, 'Delete Permanently…');
  await workbench.dialogText();
  await shot?.('9-delete-permanently');
  await workbench.dialogButton('Delete Permanently');
  await workbench.row(name).waitFor({ state: 'detached' });
}

import type { CredentialUse, FolderFacts, FolderUse, SetupConsent } from '../model/setupConsent.ts';
import { visible } from '../model/textCut.ts';
import type { Confirmation, OperationCall } from './operation.ts';
import { sizeLine } from './snapshotTexts.ts';
import type { Translate } from './translate.ts';

/**
 * Who answers for what of the person's a call may use: a person for themself, and the person for a program, each time
 * and in our own modal. What we do by ourselves has nobody. `note` writes down that it was agreed to.
 */
export function consentOf(
  call: OperationCall,
  translate: Translate,
  note: (outcome: string) => Promise<void>,
): SetupConsent | undefined {
  if (call.caller === 'controller') return undefined;
  if (call.caller === 'person') return { isLasting: true, mayUse: async () => true, mayCopy: async () => true };
  const ask = async (question: Confirmation, what: string) => {
    if (!(await call.confirm(question))) return false;
    await note(`A person agreed that ${what}.`);
    return true;
  };
  return {
    isLasting: false,
    mayUse: use =>
      ask(credentialQuestion(translate, use, call.actor), `a credential for ${use.host} is used in ${use.instance.id}`),
    mayCopy: use =>
      'problem' in use
        ? ask(problemQuestion(translate, use, call.actor), `it is told what is wrong with ${use.path}`)
        : ask(folderQuestion(translate, use, call.actor), `${use.path} is copied`),
  };
}

/** Names the host, the instance and its image: what runs in there sees the credential. */
export function credentialQuestion(t: Translate, use: CredentialUse, actor: string): Confirmation {
  const { host, kind, url, instance } = use;
  const { name, image } = instance.config;
  return {
    title: t('Use your access to {0} for "{1}"?', visible(host), name),
    detail: [
      [
        t('Repository: {0}', visible(url)),
        t('Instance: {0} ({1}) on {2}', name, instance.id, instance.providerId),
        image === undefined ? t('Image: the default') : t('Image: {0}', visible(image)),
      ].join('\n'),
      kind === 'account'
        ? t('A token of your account there is handed to git in this instance. Whatever runs in it can keep the token.')
        : t('The clone uses the ssh keys that git finds where the instance runs.'),
      t('Asked by {0}, not by you.', visible(actor)),
    ].join('\n\n'),
    action: t('Use My Access'),
  };
}

/** Names the folder as it really lies, and how much it is with all that comes along. */
export function folderQuestion(t: Translate, use: Extract<FolderUse, FolderFacts>, actor: string): Confirmation {
  const { path, outside, instance } = use;
  const { name, image } = instance.config;
  return {
    title: t('Copy a folder of this computer into "{0}"?', name),
    detail: [
      [
        t('Folder: {0}', visible(path)),
        ...outside.map(place => t('Comes along, since its git history lies there: {0}', visible(place))),
        t('In all: {0}', sizeLine(use, t)),
        t('Provider: {0}', instance.providerId),
        image === undefined ? t('Image: the default') : t('Image: {0}', visible(image)),
      ].join('\n'),
      t('Whoever may run commands in the instance can read all of it.'),
      t('Asked by {0}, not by you.', visible(actor)),
    ].join('\n\n'),
    action: t('Copy the Folder'),
  };
}

/** Whether there is such a folder, and what it is like, is the person's to tell as well. */
function problemQuestion(
  t: Translate,
  { path, problem }: Extract<FolderUse, { problem: string }>,
  actor: string,
): Confirmation {
  return {
    title: t('Tell {0} what is wrong with a folder of this computer?', visible(actor)),
    detail: [
      t('Folder: {0}', visible(path)),
      t('It cannot be copied: {0}', visible(problem)),
      t('Asked by {0}, not by you.', visible(actor)),
    ].join('\n\n'),
    action: t('Tell What Is Wrong'),
  };
}

import type { CredentialUse, SetupConsent } from '../model/setupConsent.ts';
import { visible } from '../model/textCut.ts';
import type { Confirmation, OperationCall } from './operation.ts';
import type { Translate } from './translate.ts';

/**
 * Who answers for the credentials that a call may use: a person for themself, and the person for a program, each time
 * and in our own modal. What we do by ourselves has nobody. `note` writes down that it was agreed to.
 */
export function consentOf(
  call: OperationCall,
  translate: Translate,
  note: (outcome: string) => Promise<void>,
): SetupConsent | undefined {
  if (call.caller === 'controller') return undefined;
  if (call.caller === 'person') return { isLasting: true, mayUse: async () => true };
  return {
    isLasting: false,
    mayUse: async use => {
      if (!(await call.confirm(credentialQuestion(translate, use, call.actor)))) return false;
      await note(`A person agreed that a credential for ${use.host} is used in ${use.instance.id}.`);
      return true;
    },
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

import type { Translate } from '../../operations/translate.ts';
import type { Option, StepId } from '../wizardSteps.ts';

/** How an option is offered. */
export function optionTexts(option: Option, t: Translate): { label: string; description: string } {
  switch (option) {
    case 'image':
      return { label: t('Image'), description: t('another container image') };
    case 'extensions':
      return { label: t('Extensions'), description: t('installed at the first start') };
    case 'env':
      return { label: t('Variables'), description: t('environment of its terminals and programs') };
    case 'secretEnv':
      return { label: t('Secret variables'), description: t('their values are kept in the secret storage') };
    case 'ports':
      return { label: t('Ports'), description: t('on which your applications will listen') };
    case 'metadata':
      return { label: t('Labels'), description: t('to find it again') };
  }
}

/** How a step that takes a line of text asks for it. */
export function questionFor(step: StepId, t: Translate): { prompt: string; placeholder?: string; password?: boolean } {
  if (step.startsWith('secret:')) {
    return { prompt: t('The value of {0}. It is stored in the secret storage.', step.slice(7)), password: true };
  }
  switch (step) {
    case 'name':
      return { prompt: t('A name for the instance') };
    case 'gitUrl':
      return { prompt: t('The repository to clone'), placeholder: 'https://github.com/owner/repository' };
    case 'gitRef':
      return { prompt: t('A branch, tag or commit. Empty takes the default branch.'), placeholder: 'main' };
    case 'cpuCores':
      return { prompt: t('CPU cores, such as 2 or 0.5. Empty takes the default.') };
    case 'memoryGb':
      return { prompt: t('Memory in GB, such as 4 or 1.5. Empty takes the default.') };
    case 'image':
      return { prompt: t('The container image'), placeholder: 'docker.io/library/debian:bookworm' };
    case 'extensions':
      return { prompt: t('Extensions, separated by blanks'), placeholder: 'ms-python.python golang.go@0.46.1' };
    case 'env':
      return {
        prompt: t('Variables, separated by blanks'),
        placeholder: 'NODE_ENV=development GREETING="hello world"',
      };
    case 'secretEnv':
      return { prompt: t('Names of the secret variables; their values are asked next'), placeholder: 'API_TOKEN' };
    case 'ports':
      return { prompt: t('Ports inside the instance, separated by blanks'), placeholder: '3000 8080' };
    case 'metadata':
      return { prompt: t('Labels, separated by blanks'), placeholder: 'team=web ticket=1234' };
    default:
      return { prompt: '' };
  }
}

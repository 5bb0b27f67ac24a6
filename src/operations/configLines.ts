import type { InstanceConfig, Resources, WorkspaceSource } from '../model/instance.ts';
import { shownValue } from './shownText.ts';
import type { Translate } from './translate.ts';

/** Fields of one question that are shown with their values; of more the names are. */
const mostFields = 40;

interface Field {
  readonly label: string;
  /** As it is shown; undefined where nothing is set. */
  readonly value: string | undefined;
  /** What tells it from another one that is shown alike, since it was cut. */
  readonly whole?: string;
}

/** What an instance is to be, one line for each field that says anything. */
export const configLines = (t: Translate, config: InstanceConfig): string[] =>
  lines(
    t,
    fieldsOf(t, config).flatMap(({ label, value }) => (value === undefined ? [] : [{ label, value }])),
  );

/** What becomes different, one line for each field: its value before and after. */
export function changeLines(t: Translate, before: InstanceConfig, after: InstanceConfig): string[] {
  const [old, next] = [fieldsOf(t, before), fieldsOf(t, after)].map(
    fields => new Map(fields.map(field => [field.label, field])),
  );
  const labels = [...new Set([...(old?.keys() ?? []), ...(next?.keys() ?? [])])];
  const changed = labels.flatMap(label => {
    const [was, is] = [old?.get(label), next?.get(label)];
    if (was?.value === is?.value && was?.whole === is?.whole) return [];
    const after = was?.value === is?.value ? t('another one that begins like it') : (is?.value ?? t('none'));
    return [{ label, value: `${was?.value ?? t('none')} → ${after}` }];
  });
  return lines(t, changed);
}

function lines(t: Translate, fields: readonly { label: string; value: string }[]): string[] {
  const shown = fields.slice(0, mostFields).map(({ label, value }) => `${label}: ${value}`);
  const others = fields.slice(mostFields).map(({ label }) => label);
  return others.length === 0 ? shown : [...shown, t('… and {0} more: {1}', others.length, others.join(', '))];
}

function fieldsOf(t: Translate, config: InstanceConfig): Field[] {
  const list = (values: readonly (string | number)[]) => (values.length === 0 ? undefined : values.join(', '));
  const entries = (values: Readonly<Record<string, string>>, label: (key: string) => string): Field[] =>
    Object.entries(values).map(([key, value]) => ({ label: label(key), value: shownValue(t, value), whole: value }));
  return [
    { label: t('Name'), value: shownValue(t, config.name) },
    { label: t('Image'), value: config.image ?? t('default') },
    { label: t('Region'), value: config.region },
    { label: t('Limits'), value: limitsText(t, config.resources) },
    { label: t('Workspace'), value: sourceText(t, config.source) },
    ...entries(config.env, name => t('Variable {0}', name)),
    { label: t('Secret variables'), value: list(config.secretEnv) },
    { label: t('Ports'), value: list(config.ports) },
    { label: t('Extensions'), value: list(config.extensions) },
    ...entries(config.metadata, key => t('Label {0}', key)),
  ];
}

function limitsText(t: Translate, { cpuCores, memoryMb, pids }: Resources): string | undefined {
  const parts = [
    ...(cpuCores === undefined ? [] : [t('{0} cores', cpuCores)]),
    ...(memoryMb === undefined ? [] : [`${memoryMb} MiB`]),
    ...(pids === undefined ? [] : [t('{0} processes', pids)]),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

function sourceText(t: Translate, source: WorkspaceSource): string {
  switch (source.kind) {
    case 'empty':
      return t('empty');
    case 'git': {
      const { url, ref, depth, filter } = source;
      return [
        t('a clone of {0}', shownValue(t, url)),
        ...(ref === undefined ? [] : [shownValue(t, ref)]),
        ...(depth === undefined ? [] : [t('the last {0} commits only', depth)]),
        ...(filter === undefined ? [] : [t('without {0} at first', shownValue(t, filter))]),
      ].join(', ');
    }
    case 'folder':
      return t('a copy of the folder {0} of this computer', shownValue(t, source.path));
  }
}

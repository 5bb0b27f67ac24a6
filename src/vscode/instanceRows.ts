import { restorableUntil } from '../core/trashExpiry.ts';
import { visible } from '../model/textCut.ts';
import { bytesText } from '../operations/bytesText.ts';
import type { StatusTexts } from '../operations/statusTexts.ts';
import type { Translate } from '../operations/translate.ts';
import { actionsOf, type ProviderTalents } from './instanceActions.ts';
import { isInTrash, type Node } from './instanceTree.ts';
import {
  ago,
  capitalised,
  descriptionOf,
  escapeMarkdown,
  foundDescription,
  foundName,
  iconOf,
  ownerName,
  problemText,
  type RowIcon,
  recordIcon,
  type SnapshotFacts,
  spokenOf,
  tooltipOf,
  withoutDots,
} from './rowTexts.ts';

/** One row as the tree shows it. */
export interface Row {
  readonly label: string;
  readonly description: string;
  readonly icon: RowIcon;
  readonly collapse: 'none' | 'expanded' | 'collapsed';
  /** `kind+tag+tag`, as the `when` clauses of package.json match it. */
  readonly contextValue: string;
  /** What a screen reader says. */
  readonly spoken: string;
}

/** How texts are worded: the language, and whether a row must name its provider. */
export interface Wording extends ProviderTalents {
  readonly t: Translate;
  /** BCP 47. */
  readonly locale: string;
  /** Made once: rows come by the thousand. */
  readonly statusTexts: StatusTexts;
  readonly showProvider: boolean;
}

/** A row's texts, icon and tags. Pure and cheap: the tooltip is made when it is looked at. */
export function rowOf(node: Node, wording: Wording): Row {
  const { t } = wording;
  switch (node.kind) {
    case 'instance': {
      const { record, movingTo } = node;
      const details = detailsOf(node, wording);
      const actions = actionsOf(record, wording, movingTo !== undefined);
      return {
        label: visible(record.config.name),
        description: descriptionOf(record, wording.statusTexts, wording.showProvider, t, details),
        icon: movingTo === undefined ? recordIcon(record) : { id: 'arrow-swap', color: 'charts.blue' },
        collapse: 'none',
        contextValue: ['instance', record.status, ...actions.map(action => `can-${action}`)].join('+'),
        spoken: spokenOf(record, wording.statusTexts, t, details),
      };
    }
    case 'found': {
      const { providerId, observation } = node.found;
      const label = foundName(node.found);
      const state = wording.statusTexts[observation.status];
      return {
        label,
        description: foundDescription(node.found, wording.statusTexts, wording.locale),
        icon: { id: 'circle-outline' },
        collapse: 'none',
        contextValue: 'found',
        spoken: t('{0}, found on {1}, {2}, not in this swarm', label, providerId, state),
      };
    }
    case 'provider': {
      const { id, state, count } = node;
      if (state !== undefined && !state.reachable) {
        const why = problemText(state, t);
        return {
          label: id,
          description: t('unreachable · {0}', why),
          icon: { id: 'debug-disconnect', color: 'list.warningForeground' },
          collapse: count > 0 ? 'expanded' : 'none',
          contextValue: ['provider', 'unreachable', ...(state.code ? [`code-${state.code}`] : [])].join('+'),
          spoken: t('Provider {0} cannot be reached: {1}', id, why),
        };
      }
      const row = groupRow(id, count, 'server-environment', 'provider', t);
      const shown = { ...row, collapse: count > 0 ? 'expanded' : 'none' } as const;
      if (state !== undefined) return shown;
      return {
        ...shown,
        description: t('{0} · not in the settings', count),
        icon: { id: 'debug-disconnect', color: 'list.warningForeground' },
        contextValue: 'provider+missing',
      };
    }
    case 'status': {
      const row = groupRow(capitalised(withoutDots(wording.statusTexts[node.status])), node.count, '', 'status', t);
      return { ...row, icon: atRest(iconOf(node.status)) };
    }
    case 'foundGroup':
      return { ...groupRow(t('Found'), node.count, 'search', 'foundGroup', t), collapse: 'collapsed' };
    case 'trashGroup':
      return { ...groupRow(t('Trash'), node.count, 'trash', 'trashGroup', t), collapse: 'collapsed' };
  }
}

/** The row's tooltip as Markdown with theme icons; undefined where the row says all. `snapshots` of its instance. */
export function rowTooltip(
  node: Node,
  now: number,
  { t, locale, statusTexts }: Wording,
  snapshots?: SnapshotFacts,
): string | undefined {
  switch (node.kind) {
    case 'instance':
      return tooltipOf(
        node.record,
        statusTexts,
        now,
        locale,
        t,
        node.bytes === undefined ? undefined : bytesText(node.bytes, locale),
        snapshots,
        node.costsAtRest,
      );
    case 'found': {
      const { swarmId, createdAt, detail } = node.found.observation;
      const { owner } = node.found;
      const made = t('Made {0}.', ago(createdAt, now, locale));
      const whose = owner
        ? t(
            'It belongs to {0} in another swarm ({1}), or in this one before its state was lost.',
            ownerName(owner),
            swarmId,
          )
        : t('It belongs to another swarm ({0}), or to this one before its state was lost.', swarmId);
      const id = `${t('Id')}: ${node.found.observation.id}`;
      return [whose, made, detail, t('It is left alone until you adopt it.'), id]
        .filter(text => text !== undefined)
        .map(escapeMarkdown)
        .join('\n\n');
    }
    case 'provider':
      if (node.state === undefined) {
        return escapeMarkdown(
          t('This provider is not in the settings. Add it under the same name to use its instances again.'),
        );
      }
      return (
        [node.state.problem, node.state.hint]
          .filter(text => text !== undefined)
          .map(escapeMarkdown)
          .join('\n\n') || undefined
      );
    case 'foundGroup':
      return escapeMarkdown(
        t('Resources with our labels that belong to another swarm. They are left alone until you adopt them.'),
      );
    default:
      return undefined;
  }
}

/** What follows the state: where it is moving to, that it is to go to the trash, or what it costs in the trash and until when. */
function detailsOf({ record, movingTo, bytes }: Extract<Node, { kind: 'instance' }>, { t, locale }: Wording): string[] {
  const until = record.status === 'trashed' ? restorableUntil(record) : undefined;
  const waits = record.status !== 'trashed' && isInTrash(record);
  const day = until && new Date(until).toLocaleDateString(locale, { month: 'short', day: 'numeric' });
  return [
    ...(movingTo === undefined ? [] : [t('moving to {0}…', movingTo)]),
    ...(waits ? [t('goes to the trash once {0} answers', record.providerId)] : []),
    ...(day === undefined ? [] : [t('until {0}', day)]),
    ...(bytes === undefined ? [] : [bytesText(bytes, locale)]),
  ];
}

/** A group of passing instances does not spin. */
const atRest = (icon: RowIcon): RowIcon => (icon.id.endsWith('~spin') ? { id: 'sync' } : icon);

function groupRow(label: string, count: number, icon: string, contextValue: string, t: Translate): Row {
  const spoken = count === 1 ? t('{0}, 1 instance', label) : t('{0}, {1} instances', label, count);
  return { label, description: String(count), icon: { id: icon }, collapse: 'expanded', contextValue, spoken };
}

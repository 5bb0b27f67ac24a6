import type { HealthStatus } from '../../model/health.ts';

/** The colours of the editor's theme, as a canvas takes them. */
export interface Palette {
  readonly text: string;
  readonly grid: string;
  readonly background: string;
  /** Around what is told by its colour alone; transparent but in high contrast. */
  readonly outline: string;
  readonly statuses: Readonly<Record<HealthStatus, string>>;
  readonly latency: string;
  readonly cpu: string;
  readonly memory: string;
  readonly disk: string;
  readonly limit: string;
}

/** The palette of the theme in use now. The variables are those of page.css, which takes them from the editor's. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.body);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    text: color('text'),
    grid: color('grid'),
    background: color('background'),
    outline: color('outline'),
    statuses: {
      healthy: color('healthy'),
      degraded: color('degraded'),
      unhealthy: color('unhealthy'),
      recovering: color('recovering'),
      unknown: color('unknown'),
    },
    latency: color('latency'),
    cpu: color('cpu'),
    memory: color('memory'),
    disk: color('disk'),
    limit: color('limit'),
  };
}

/** Calls back when the editor has changed its theme: it then rewrites its variables and the body's class. */
export function onThemeChange(changed: () => void): void {
  const observer = new MutationObserver(() => changed());
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
}

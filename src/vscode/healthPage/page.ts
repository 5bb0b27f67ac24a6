import 'uplot/dist/uPlot.min.css';
import './page.css';
import { HistoryPage } from './historyPage.ts';
import type { FromPage, PageState, ToPage } from './messages.ts';

declare function acquireVsCodeApi(): {
  postMessage(message: FromPage): void;
  getState(): PageState | undefined;
  setState(state: PageState): void;
};

const editor = acquireVsCodeApi();
window.addEventListener('error', ({ message }) => {
  editor.postMessage({ type: 'failed', message: message.slice(0, 4000) });
});

let page: HistoryPage | undefined;
window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
  if (!page) {
    page = new HistoryPage(data, editor.getState(), state => editor.setState(state));
    document.body.append(page.root);
  }
  page.show(data);
});
editor.postMessage({ type: 'ready' });

// esbuild takes them into a style sheet beside the script.
declare module '*.css';

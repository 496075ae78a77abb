// The one `import()` of process files. It stands alone so that it always runs from dist, under Node's own loader.
export const importFile = (url: string): Promise<Record<string, unknown>> => import(url) as Promise<Record<string, unknown>>;

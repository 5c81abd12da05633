/** Not an application module: it has no default export. */
export const main = undefined;

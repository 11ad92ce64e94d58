import type { Provider } from './provider.ts'

/** To be written. */
export const dtr: Provider = {}

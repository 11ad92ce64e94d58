import { distribution } from './distribution.ts'
import type { Emulate } from './emulation.ts'

/** Every provider that is emulated. */
export const emulations: readonly Emulate[] = [distribution]

import type { Step } from '../examine.ts'
import { ok } from '../finding.ts'

/** What flags, files and variables say of the registry. */
export const configuration: Step = {
  name: 'configuration',
  needs: [],
  async examine(patient) {
    const { settings, files, url, place } = await patient.meet()
    const road = `${place.registry} is met at ${url.origin}`
    const said = settings.map(({ what, origin }) => `${what} (${origin})`)
    return ok([road, ...said].join('; '), { url: url.href, settings, files })
  },
}

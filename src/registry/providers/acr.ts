import { registryError } from '../registry-error.ts'
import type { Provider } from './provider.ts'
import { withNeeds } from './provider-api.ts'

/**
 * Azure Container Registry. A tag is deleted by the registry's own API, at the same host and with the same tokens
 * (https://learn.microsoft.com/rest/api/containerregistry): what `/v2/` does by tag differs between reports. Its catalog is
 * the registry API's.
 */
export const acr: Provider = {
  async deleteTag({ registry, url, send }, { repository, tag }) {
    const response = await send({
      method: 'DELETE',
      url: new URL(`acr/v1/${repository}/_tags/${tag}`, url),
      scopes: [`repository:${repository}:delete`],
    })
    if (response.status >= 300) {
      const error = await registryError(response, `delete ${registry}/${repository}:${tag}`)
      throw withNeeds(
        error,
        'the login needs the role AcrDelete, or as a token content/delete on the repository',
      )
    }
    await response.discard()
    return { tags: [tag], manifest: false }
  },
}

// The API reference, with a token and the id of a call filled in, so that the first request succeeds.

const token = document.querySelector('meta[name=token]').content
  || sessionStorage.getItem('call-api-sandbox-token') || '';

const dark = matchMedia('(prefers-color-scheme: dark)');
const followScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followScheme);
followScheme();

// Returns the id of the latest call that the token gives access to.
async function latestCall() {
  if (!token) return null;
  const response = await fetch('../calls.json', { headers: { Authorization: `Bearer ${token}` } });
  return response.ok ? (await response.json()).calls[0]?.id ?? null : null;
}

// Adds the id as the example of each parameter of a path that is a UUID.
function addExample(document, id) {
  const operations = Object.values(document.paths ?? {}).flatMap((item) => Object.values(item));
  for (const parameter of operations.flatMap((operation) => operation?.parameters ?? [])) {
    if (parameter.in === 'path' && parameter.schema?.format === 'uuid') parameter.example ??= id;
  }
}

// Swagger UI leaves these without a name, a level or a way to scroll them with the keyboard.
function mend(root) {
  for (const button of root.querySelectorAll('.copy-to-clipboard > button')) button.ariaLabel = 'Copy to clipboard';
  for (const select of root.querySelectorAll('.servers select')) select.ariaLabel = 'Server';
  for (const heading of root.querySelectorAll('h3, h4, h5')) heading.ariaLevel = Number(heading.tagName[1]) - 1;
  for (const block of root.querySelectorAll('pre')) block.tabIndex = 0;
}

const root = document.querySelector('#reference');
new MutationObserver(() => mend(root)).observe(root, { childList: true, subtree: true });

const [spec, id] = await Promise.all([
  fetch('openapi.json').then((response) => response.json()),
  latestCall().catch(() => null),
]);
if (id) addExample(spec, id);
const reference = SwaggerUIBundle({
  spec,
  domNode: root,
  docExpansion: 'full',
  tryItOutEnabled: true,
  onComplete() {
    const schemes = Object.entries(spec.components?.securitySchemes ?? {});
    for (const [name, scheme] of schemes) {
      if (token && scheme.scheme?.toLowerCase() === 'bearer') reference.preauthorizeApiKey(name, token);
    }
  },
});

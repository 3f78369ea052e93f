// Before anything is painted: the theme that was chosen. A plain script, so that it runs at once.
{
  const stored = (() => {
    try {
      return localStorage.getItem('kvasir.theme')
    } catch {
      return null // storage is switched off
    }
  })()
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset['theme'] = stored
}

"""Look of the page."""
import gradio as gr

__all__ = ['HEAD', 'STYLE', 'THEME']

HEAD = ('<script src="/own/canvas.js"></script>'
        '<script src="/own/alive.js" defer></script>')
_FONTS = ['ui-sans-serif', 'system-ui', 'sans-serif']
_MONO = ['ui-monospace', 'Consolas', 'monospace']
THEME = gr.themes.Soft(
    primary_hue='pink', neutral_hue='slate', font=_FONTS, font_mono=_MONO)
STYLE = '''
.gradio-container { max-width: 1180px !important; margin: auto; }
.mmpe-canvas canvas { border: 1px solid #8886; touch-action: none;
  cursor: crosshair; max-width: 100%; background: #8882; display: block; }
.mmpe-tools { display: flex; gap: .8em; align-items: center; flex-wrap: wrap;
  margin-bottom: .4em; }
.mmpe-tools select, .mmpe-tools button { border: 1px solid #8888;
  border-radius: 6px; padding: .2em .6em; background: transparent; }
.mmpe-hint { opacity: .8; min-height: 1.5em; }
.mmpe-results { display: flex; flex-wrap: wrap; gap: 14px; }
.mmpe-results figure { margin: 0; max-width: 100%; }
.mmpe-results img, .mmpe-results video { max-width: 100%; max-height: 460px;
  display: block; min-width: 190px; }
.mmpe-download { display: inline-block; border: 1px solid #d6006c;
  border-radius: 6px; padding: 0 .6em; margin: .3em 0; color: inherit; }
.mmpe-same pre { white-space: pre-wrap; word-break: break-all; padding: .6em;
  background: #8881; border-radius: 6px; font-size: 12px; }
.mmpe-trainings td { padding: .3em .7em; vertical-align: middle; }
.mmpe-trainings img { max-height: 150px; max-width: 460px; }
.mmpe-trainings button { border: 1px solid #8888; border-radius: 6px;
  padding: .3em .8em; margin-right: .3em; }
.mmpe-trainings progress { width: 11em; accent-color: #d6006c; }
#mmpe-note { position: fixed; inset: 0 0 auto 0; z-index: 9999; padding: 1em;
  background: #a3003f; color: #fff; text-align: center; }
'''

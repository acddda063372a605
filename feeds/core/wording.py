"""The text that the program adds to feeds, such as "Continue reading", in several languages.

Text in an entry is in the language of its article; text about a feed is in the language of the feed. The interface text
of pages is in the catalogs of `feeds.pages`, which the core can't read; both exist in the same languages.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Wording(NamedTuple):
    """The text in one language. `{site}` is the name of another site, `{number}` a number."""

    language: str
    browser_hint: str  # the line for browsers in RSS and Atom: a sentence
    browser_link: str  # the text of the link that follows it
    continue_reading: str  # the link at the end of an excerpt
    excerpts: str  # names a feed of excerpts in lists
    footnote: str  # the title of the link from a footnote back to the text
    kinds: Mapping[str, str]  # the headings of lists of feeds, by `FeedKind`
    embeds: Mapping[str, str]  # the texts of links in place of players, by the kind of their content
    alerts: Mapping[str, str]  # the default titles of alerts, by the English title

    def alert_title(self, kind: str) -> str:
        """Return the title of an alert of a kind, such as "note" or "see-also", that has no title of its own."""
        title = kind.replace("-", " ").capitalize()
        return self.alerts.get(title, title)

    def embed(self, kind: str, site: str) -> str:
        """Return the text of a link to something that another site shows, by a key of `embeds`."""
        return self.embeds[kind].format(site=site)


ENGLISH = Wording(
    language="en",
    browser_hint="This is a feed, for feed readers.",
    browser_link="What it contains, and how to subscribe",
    continue_reading="Continue reading",
    excerpts="summaries",
    footnote="Jump back to footnote {number} in the text",
    kinds={
        "custom": "Selections", "category": "Categories", "tag": "Tags", "author": "Authors", "language": "Languages",
        "folder": "Folders",
    },
    embeds={
        "video": "Video on {site}", "playlist": "Playlist on {site}", "stream": "Live stream on {site}",
        "audio": "Listen on {site}", "code": "Code on {site}", "recording": "Recording on {site}",
        "post": "Post on {site}",
    },
    alerts={},
)  # fmt: skip
_WORDINGS = {
    wording.language: wording
    for wording in (
        ENGLISH,
        Wording(
            language="ar",
            browser_hint="هذه خلاصة مخصّصة لبرامج قراءة الخلاصات.",
            browser_link="محتواها وكيفية الاشتراك فيها",
            continue_reading="متابعة القراءة",
            excerpts="مقتطفات",
            footnote="العودة إلى الحاشية {number} في النص",
            kinds={
                "custom": "مختارات", "category": "التصنيفات", "tag": "الوسوم", "author": "الكُتّاب",
                "language": "اللغات", "folder": "المجلدات",
            },
            embeds={
                "video": "فيديو على {site}", "playlist": "قائمة تشغيل على {site}", "stream": "بث مباشر على {site}",
                "audio": "استمع على {site}", "code": "شفرة برمجية على {site}", "recording": "تسجيل على {site}",
                "post": "منشور على {site}",
            },
            alerts={
                "Caution": "تنبيه", "Danger": "خطر", "Error": "خطأ", "Failure": "فشل", "Fail": "فشل",
                "Missing": "مفقود", "Bug": "خلل برمجي", "Warning": "تحذير", "Attention": "انتباه", "Important": "مهم",
                "Tip": "نصيحة", "Hint": "تلميح", "Success": "نجاح", "Check": "تم", "Done": "تم", "Note": "ملاحظة",
                "Info": "معلومة", "Abstract": "نبذة", "Summary": "ملخص", "Tldr": "باختصار", "Details": "تفاصيل",
                "Example": "مثال", "Question": "سؤال", "Help": "مساعدة", "Faq": "أسئلة شائعة", "Quote": "اقتباس",
                "Cite": "اقتباس", "Seealso": "انظر أيضًا", "Todo": "مهام",
            },
        ),
        Wording(
            language="de",
            browser_hint="Dies ist ein Feed für Feedreader.",
            browser_link="Was er enthält, und wie man ihn abonniert",
            continue_reading="Weiterlesen",
            excerpts="Auszüge",
            footnote="Zurück zu Fußnote {number} im Text",
            kinds={
                "custom": "Auswahl", "category": "Kategorien", "tag": "Schlagwörter",
                "author": "Autorinnen und Autoren", "language": "Sprachen", "folder": "Ordner",
            },
            embeds={
                "video": "Video auf {site}", "playlist": "Playlist auf {site}", "stream": "Livestream auf {site}",
                "audio": "Auf {site} anhören", "code": "Code auf {site}", "recording": "Aufnahme auf {site}",
                "post": "Beitrag auf {site}",
            },
            alerts={
                "Caution": "Vorsicht", "Danger": "Gefahr", "Error": "Fehler", "Failure": "Fehlschlag",
                "Fail": "Fehlschlag", "Missing": "Fehlt", "Bug": "Programmfehler", "Warning": "Warnung",
                "Attention": "Achtung", "Important": "Wichtig", "Tip": "Tipp", "Hint": "Hilfestellung",
                "Success": "Erfolg", "Check": "Erledigt", "Done": "Erledigt", "Note": "Hinweis", "Info": "Info",
                "Abstract": "Überblick", "Summary": "Zusammenfassung", "Tldr": "Kurz gesagt", "Details": "Details",
                "Example": "Beispiel", "Question": "Frage", "Help": "Hilfe", "Faq": "Häufige Fragen", "Quote": "Zitat",
                "Cite": "Zitat", "Seealso": "Siehe auch", "Todo": "Zu erledigen",
            },
        ),
        Wording(
            language="es",
            browser_hint="Esto es un feed para lectores de feeds.",
            browser_link="Qué contiene y cómo suscribirse",
            continue_reading="Seguir leyendo",
            excerpts="extractos",
            footnote="Volver a la nota {number} en el texto",
            kinds={
                "custom": "Selecciones", "category": "Categorías", "tag": "Etiquetas", "author": "Autores",
                "language": "Idiomas", "folder": "Carpetas",
            },
            embeds={
                "video": "Vídeo en {site}", "playlist": "Lista de reproducción en {site}",
                "stream": "Emisión en directo en {site}", "audio": "Escuchar en {site}", "code": "Código en {site}",
                "recording": "Grabación en {site}", "post": "Publicación en {site}",
            },
            alerts={
                "Caution": "Precaución", "Danger": "Peligro", "Error": "Error", "Failure": "Fallo", "Fail": "Fallo",
                "Missing": "Falta", "Bug": "Fallo del programa", "Warning": "Advertencia", "Attention": "Atención",
                "Important": "Importante", "Tip": "Consejo", "Hint": "Pista", "Success": "Éxito", "Check": "Hecho",
                "Done": "Hecho", "Note": "Nota", "Info": "Información", "Abstract": "Resumen", "Summary": "Resumen",
                "Tldr": "En pocas palabras", "Details": "Detalles", "Example": "Ejemplo", "Question": "Pregunta",
                "Help": "Ayuda", "Faq": "Preguntas frecuentes", "Quote": "Cita", "Cite": "Cita",
                "Seealso": "Véase también", "Todo": "Por hacer",
            },
        ),
        Wording(
            language="fr",
            browser_hint="Ceci est un flux, destiné aux lecteurs de flux.",
            browser_link="Ce qu’il contient et comment s’abonner",
            continue_reading="Lire la suite",
            excerpts="extraits",
            footnote="Retour à la note {number} dans le texte",
            kinds={
                "custom": "Sélections", "category": "Catégories", "tag": "Étiquettes", "author": "Auteurs",
                "language": "Langues", "folder": "Dossiers",
            },
            embeds={
                "video": "Vidéo sur {site}", "playlist": "Playlist sur {site}", "stream": "Direct sur {site}",
                "audio": "Écouter sur {site}", "code": "Code sur {site}", "recording": "Enregistrement sur {site}",
                "post": "Publication sur {site}",
            },
            alerts={
                "Caution": "Prudence", "Danger": "Danger", "Error": "Erreur", "Failure": "Échec", "Fail": "Échec",
                "Missing": "Manquant", "Bug": "Bogue", "Warning": "Avertissement", "Attention": "Attention",
                "Important": "Important", "Tip": "Astuce", "Hint": "Indice", "Success": "Succès", "Check": "Fait",
                "Done": "Fait", "Note": "Note", "Info": "Info", "Abstract": "Résumé", "Summary": "Résumé",
                "Tldr": "En bref", "Details": "Détails", "Example": "Exemple", "Question": "Question", "Help": "Aide",
                "Faq": "Questions fréquentes", "Quote": "Citation", "Cite": "Citation", "Seealso": "Voir aussi",
                "Todo": "À faire",
            },
        ),
        Wording(
            language="ja",
            browser_hint="これはフィードリーダー用のフィードです。",
            browser_link="内容と購読方法",
            continue_reading="続きを読む",
            excerpts="抜粋",
            footnote="本文の注{number}に戻る",
            kinds={
                "custom": "セレクション", "category": "カテゴリー", "tag": "タグ", "author": "著者",
                "language": "言語", "folder": "フォルダー",
            },
            embeds={
                "video": "{site}の動画", "playlist": "{site}の再生リスト", "stream": "{site}のライブ配信",
                "audio": "{site}で聴く", "code": "{site}のコード", "recording": "{site}の録画", "post": "{site}の投稿",
            },
            alerts={
                "Caution": "注意", "Danger": "危険", "Error": "エラー", "Failure": "失敗", "Fail": "失敗",
                "Missing": "不足", "Bug": "バグ", "Warning": "警告", "Attention": "要注意", "Important": "重要",
                "Tip": "ヒント", "Hint": "手がかり", "Success": "成功", "Check": "完了", "Done": "完了", "Note": "メモ",
                "Info": "情報", "Abstract": "概要", "Summary": "まとめ", "Tldr": "要点", "Details": "詳細",
                "Example": "例", "Question": "質問", "Help": "ヘルプ", "Faq": "よくある質問", "Quote": "引用",
                "Cite": "引用", "Seealso": "関連項目", "Todo": "やること",
            },
        ),
        Wording(
            language="pt",
            browser_hint="Isto é um feed, para leitores de feeds.",
            browser_link="O que ele contém e como assinar",
            continue_reading="Continuar lendo",
            excerpts="resumos",
            footnote="Voltar à nota {number} no texto",
            kinds={
                "custom": "Seleções", "category": "Categorias", "tag": "Etiquetas", "author": "Autores",
                "language": "Idiomas", "folder": "Pastas",
            },
            embeds={
                "video": "Vídeo no {site}", "playlist": "Playlist no {site}", "stream": "Transmissão ao vivo no {site}",
                "audio": "Ouvir no {site}", "code": "Código no {site}", "recording": "Gravação no {site}",
                "post": "Publicação no {site}",
            },
            alerts={
                "Caution": "Cuidado", "Danger": "Perigo", "Error": "Erro", "Failure": "Falha", "Fail": "Falha",
                "Missing": "Faltando", "Bug": "Bug", "Warning": "Aviso", "Attention": "Atenção",
                "Important": "Importante", "Tip": "Dica", "Hint": "Pista", "Success": "Sucesso", "Check": "Concluído",
                "Done": "Concluído", "Note": "Nota", "Info": "Informação", "Abstract": "Resumo", "Summary": "Resumo",
                "Tldr": "Em resumo", "Details": "Detalhes", "Example": "Exemplo", "Question": "Pergunta",
                "Help": "Ajuda", "Faq": "Perguntas frequentes", "Quote": "Citação", "Cite": "Citação",
                "Seealso": "Veja também", "Todo": "A fazer",
            },
        ),
    )
}  # fmt: skip


def wording_of(language: str) -> Wording:
    """Return the text for content in a language: in its main language, else in English."""
    return _WORDINGS.get(language.partition("-")[0].lower(), ENGLISH)


def languages() -> tuple[str, ...]:
    """Return the languages of the text."""
    return tuple(_WORDINGS)

/* Small pieces of the page. */
#include <inttypes.h>

#include "html.h"
#include "show.h"

void html_text(FILE *out, struct slice text)
{
	char shown[SHOW_TEXT_MAX];

	for (const char *c = show_text(shown, text, 0); *c; c++) {
		switch (*c) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: fputc(*c, out);
		}
	}
}

void html_prose(FILE *out, const char *text)
{
	for (;;) {
		size_t before = strcspn(text, "`"), code = text[before] ? strcspn(text + before + 1, "`") : 0;
		if (!text[before] || !text[before + 1 + code]) break;
		html_text(out, slice_make(text, before));
		html_element(out, "code", NULL, slice_make(text + before + 1, code));
		text += before + code + 2;
	}
	html_str(out, text);
}

void html_element(FILE *out, const char *tag, const char *class, struct slice text)
{
	if (class) fprintf(out, "<%s class=\"%s\">", tag, class);
	else fprintf(out, "<%s>", tag);
	html_text(out, text);
	fprintf(out, "</%s>", tag);
}

void html_bar(FILE *out, const char *class, const struct html_share *shares, size_t count, uint64_t whole)
{
	double x = 0;

	fprintf(out, "<svg class=\"%s\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">", class);
	for (size_t i = 0; i < count && whole; i++) {
		double width = 1000 * (double)shares[i].part / (double)whole;
		if (shares[i].part) fprintf(out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"10\"/>", shares[i].class, x, width);
		x += width;
	}
	fputs("</svg>", out);
}

void html_icon(FILE *out, const char *id)
{
	fprintf(out, "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><use href=\"#%s\"/></svg>", id);
}

/* Shapes differ: a disc, a triangle, an octagon, a square. */
void html_icons(FILE *out)
{
	static const struct { const char *id, *shape, *sign; } icons[] = {
		{ "i-good", "M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z", "m7 12.5 3.4 3.5L17 8.5" },
		{ "i-look", "M12 2 1 22h22z", "M12 9v6m0 2.6v1.2" },
		{ "i-bad", "M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z", "M12 6v7.5m0 3v1.5" },
		{ "i-info", "M2 2h20v20H2z", "M12 10.5V18m0-12v1.5" },
		{ "i-nothing", "M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z", "M7 12h10" },
	};

	fputs("<svg class=\"hidden\" aria-hidden=\"true\"><defs>", out);
	for (size_t i = 0; i < COUNT_OF(icons); i++)
		fprintf(out, "<symbol id=\"%s\" viewBox=\"0 0 24 24\"><path d=\"%s\" fill=\"currentColor\"/><path d=\"%s\" fill=\"none\" stroke=\"var(--card)\" "
			"stroke-width=\"2.4\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/></symbol>", icons[i].id, icons[i].shape, icons[i].sign);
	fputs("</defs></svg>\n", out);
}

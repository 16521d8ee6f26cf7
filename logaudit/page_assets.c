/* What the page brings with it. */
#include "page.h"
#include "page_assets.h"         /* made by page/embed.sh */

const char *const page_style_text = page_style, *const page_script_text = page_script;
const char *const page_policy = "default-src 'none'; style-src '" PAGE_style_HASH "'; script-src '" PAGE_script_HASH "'; base-uri 'none'; "
	"form-action 'none'";

"""The report as HTML: the page of the study, a page for each prompt, and the images on them."""

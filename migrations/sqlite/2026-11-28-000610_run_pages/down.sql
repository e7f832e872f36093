DROP TABLE run_pages;

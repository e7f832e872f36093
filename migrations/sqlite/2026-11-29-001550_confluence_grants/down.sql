DROP TABLE confluence_grants;

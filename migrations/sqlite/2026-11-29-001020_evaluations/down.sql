DROP TABLE evaluation_results;
DROP TABLE evaluations;
